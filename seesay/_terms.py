"""What both ends of a topic say about themselves, and to whom it matters when they differ."""

from __future__ import annotations

import logging
import re
from typing import Any, NamedTuple

from seesay.errors import BusError, WireError
from seesay.messages import SCHEMA
from seesay.topics import Topic, check_name

_log = logging.getLogger(__name__)

_MAX_LENGTH = 256
_WORD = re.compile(r"[A-Za-z0-9_.+-]{1,64}")
_NAMES = ("type", "schema", "keep", "latching", "reliability", "deadline", "lease")


class Terms(NamedTuple):
    """What one end takes a topic for. On the wire: the fields as words in this order."""

    node: str
    type: str
    schema: str
    keep: str
    latched: str
    reliable: str
    deadline: str
    lease: str

    @classmethod
    def of(cls, node: str, topic: Topic[Any]) -> Terms:
        latched, reliable = "latched" if topic.latched else "not-latched", "reliable" if topic.reliable else "best-effort"
        deadline, lease = f"{topic.deadline_s:g}s" if topic.deadline_s else "none", f"{topic.lease_s:g}s"
        return cls(node, topic.type.__name__, str(SCHEMA), topic.keep, latched, reliable, deadline, lease)

    def pack(self) -> str:
        return " ".join(self)

    @classmethod
    def unpack(cls, text: str) -> Terms:
        """Raises WireError for what is not terms."""
        words = text[:_MAX_LENGTH].split(" ")
        if not all(map(_WORD.fullmatch, words)):
            raise WireError(f"terms: expected words of letters, digits and _.+-, got {text[:_MAX_LENGTH]!r}")
        try:
            check_name("node", words[0])
            return cls(*words)
        except (BusError, TypeError) as error:
            raise WireError(f"terms: {error}") from error

    def against(self, other: Terms) -> str:
        """Say in what the other end differs; empty if it does not."""
        ends = zip(_NAMES, self[1:], other[1:], strict=True)
        differences = [f"{name} {theirs} there, {ours} here" for name, ours, theirs in ends if ours != theirs]
        return f"{other.node}: {', '.join(differences)}" if differences else ""


def compare(role: str, topic: Topic[Any], known: dict[str, str], own: Terms, other: Terms) -> None:
    """Log that this end, a publisher or subscriber, and the other differ, once, and keep it in `known`; forget it when they agree."""
    difference = own.against(other)
    if difference != known.get(other.node, ""):
        known[other.node] = difference
        if difference:
            _log.error("topic %s: this %s and %s; use the same version and table of topics at both ends", topic.name, role, difference)
