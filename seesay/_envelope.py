"""What a publisher says about each of its messages, and what both ends say about themselves."""

from __future__ import annotations

import logging
import struct
from typing import Any, NamedTuple

from seesay.errors import BusError, WireError
from seesay.messages import SCHEMA
from seesay.topics import Topic, check_name

REPLAY, RING, BEAT, FAREWELL = 1, 2, 4, 8

_log = logging.getLogger(__name__)

_ENVELOPE = struct.Struct("<4sBB16sQq")
_MAGIC, _VERSION = b"SSAY", 2
_MAX_BYTES = 512


class Envelope(NamedTuple):
    """Who sent a message and when.

    instance: 16 random bytes of the publisher's life, so that a restart is seen. sequence: 1, 2, ... in that life.
    sent_ns: CLOCK_MONOTONIC. flags: REPLAY: repeats a value for a newcomer; RING: the buffers are in shared memory; BEAT: no message but
    a sign of life, with the publisher's terms; FAREWELL: the publisher ends.
    On the wire: "SSAY", version u8, flags u8, instance, sequence u64, sent_ns i64, node, NUL, key; little-endian.
    """

    node: str
    instance: bytes
    sequence: int
    sent_ns: int
    key: str = ""
    flags: int = 0

    def pack(self) -> bytes:
        head = _ENVELOPE.pack(_MAGIC, _VERSION, self.flags, self.instance, self.sequence, self.sent_ns)
        return head + self.node.encode() + b"\0" + self.key.encode()

    @classmethod
    def unpack(cls, data: bytes) -> Envelope:
        """Raises WireError unless `data` is an envelope of this version."""
        if not _ENVELOPE.size < len(data) <= _MAX_BYTES:
            raise WireError(f"envelope: expected {_ENVELOPE.size + 1} to {_MAX_BYTES} bytes, got {len(data)}")
        magic, version, flags, instance, sequence, sent_ns = _ENVELOPE.unpack_from(data)
        node, zero, key = data[_ENVELOPE.size :].partition(b"\0")
        if magic != _MAGIC or version != _VERSION or not zero:
            raise WireError(f"envelope: expected version {_VERSION} of SSAY, got {magic!r} {version}")
        try:
            return cls(node.decode(), instance, sequence, sent_ns, key.decode(), flags)
        except UnicodeDecodeError as error:
            raise WireError(f"envelope: {error}") from error


class Terms(NamedTuple):
    """What one end takes a topic for. On the wire: the fields as words, in this order."""

    node: str
    type: str
    schema: str
    keep: str
    latched: str

    @classmethod
    def of(cls, node: str, topic: Topic[Any]) -> Terms:
        return cls(node, topic.type.__name__, str(SCHEMA), topic.keep, "latched" if topic.latched else "not-latched")

    def pack(self) -> bytes:
        return " ".join(self).encode()

    @classmethod
    def unpack(cls, data: bytes) -> Terms:
        """Raises WireError for what is not terms."""
        try:
            words = data[:_MAX_BYTES].decode("ascii").split(" ")
            for word in words:
                check_name("node", word)
            return cls(*words)
        except (UnicodeDecodeError, BusError, TypeError) as error:
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
