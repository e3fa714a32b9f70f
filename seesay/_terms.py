"""What both ends of a topic say about themselves, and to whom it matters when they differ."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from seesay.errors import BusError, WireError
from seesay.messages import SCHEMA
from seesay.topics import Topic, check_name

_log = logging.getLogger(__name__)

_MAX_LENGTH = 256


class Terms(NamedTuple):
    """What one end takes a topic for. On the wire: the fields as words in this order."""

    node: str
    type: str
    schema: str
    keep: str
    latched: str

    @classmethod
    def of(cls, node: str, topic: Topic[Any]) -> Terms:
        return cls(node, topic.type.__name__, str(SCHEMA), topic.keep, "latched" if topic.latched else "not-latched")

    def pack(self) -> str:
        return " ".join(self)

    @classmethod
    def unpack(cls, text: str) -> Terms:
        """Raises WireError for what is not terms."""
        words = text[:_MAX_LENGTH].split(" ")
        try:
            for word in words:
                check_name("node", word)
            return cls(*words)
        except (BusError, TypeError) as error:
            raise WireError(f"terms: {error}") from error

    def against(self, other: Terms) -> str:
        """Say in what the other end differs; empty if it does not."""
        names = zip(("type", "schema", "keep", "latching"), self[1:], other[1:], strict=True)
        differences = [f"{name} {theirs} there, {ours} here" for name, ours, theirs in names if ours != theirs]
        return f"{other.node}: {', '.join(differences)}" if differences else ""


def compare(role: str, topic: Topic[Any], known: dict[str, str], own: Terms, other: Terms) -> None:
    """Log that this end, a publisher or subscriber, and the other differ, once, and keep it in `known`; forget it when they agree."""
    difference = own.against(other)
    if difference != known.get(other.node, ""):
        known[other.node] = difference
        if difference:
            _log.error("topic %s: this %s and %s; use the same version and table of topics at both ends", topic.name, role, difference)
