"""What two gateways say to each other: message kinds, greetings, and how many messages may be under way.

Every message begins with a part of one letter, a number (u64, little-endian) and a topic's name:

    H  greeting, part 1: JSON {"version", "schema", "offers": {topic: type}}      W  part 1: JSON list of the topics wanted
    M  message `number` of a topic, then the parts of `seesay.codec`              A  message `number` is acknowledged
    L  part 1: JSON list of those topics whose publishers live, now and then, and at any change
    P  ping of the dialer, number 1 once it has been greeted, part 1: three i64, its stamp, offset and error
    Q  answer, part 1: three i64, stamps as in NTP
    B  end, part 1: a sentence that says why

A sender has at most a window of messages of a topic under way that the receiver has not acknowledged: on arrival for a keep-latest topic,
after publishing for a keep-all topic. What comes meanwhile waits in a mailbox as on a local bus: the newest of a keep-latest topic, the
last `depth` of a keep-all topic, the rest dropped and counted. The window of a keep-latest topic is one message, so that none waits in the
buffers of a slow network, but two where the time to the acknowledgement is mostly the way there and back.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import logging
import struct
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from seesay import codec
from seesay._bus_remote import MAX_MESSAGE_BYTES
from seesay._clock_offset import OffsetEstimate, shift_stamps
from seesay._pictures import compress, decompress
from seesay.codec import Part
from seesay.config import from_mapping
from seesay.errors import BusError, ConfigError, SeeSayError, WireError
from seesay.messages import SCHEMA, CompressedImage, Header, Image, LinkStatus
from seesay.pubsub import Received
from seesay.topics import Topic, find

_log = logging.getLogger(__name__)

VERSION = 2
MAX_JSON_BYTES = 64 << 10
MAX_OFFERS = 256
MAX_LATCHED = 1024
_HEAD = struct.Struct("<cQ")
STAMPS = struct.Struct("<qqq")


def head(kind: bytes, number: int = 0, topic: str = "") -> bytes:
    """The first part of a message."""
    return _HEAD.pack(kind, number) + topic.encode()


def read_head(part: Part) -> tuple[bytes, int, str]:
    """Kind, number and topic. Raises WireError."""
    if not _HEAD.size <= len(part) <= _HEAD.size + 64:
        raise WireError(f"head: expected {_HEAD.size} to {_HEAD.size + 64} bytes, got {len(part)}")
    kind, number = _HEAD.unpack_from(part)
    try:
        return kind, number, bytes(part[_HEAD.size :]).decode("ascii")
    except UnicodeDecodeError as error:
        raise WireError(f"head: {error}") from error


def read_stamps(parts: Sequence[Part]) -> tuple[int, int, int]:
    """The three stamps of a ping or its answer. Raises WireError."""
    if len(parts) != 2 or len(parts[1]) != STAMPS.size:
        raise WireError("stamps: expected one part of 24 bytes")
    first, second, third = STAMPS.unpack(parts[1])
    return first, second, third


@dataclass(frozen=True)
class Greeting:
    """Protocol version, message schema and the topics offered with the names of their types."""

    version: int
    schema: int
    offers: dict[str, str]

    @classmethod
    def of(cls, topics: Iterable[Topic[Any]]) -> Greeting:
        return cls(VERSION, SCHEMA, {topic.name: topic.type.__name__ for topic in topics})

    def parts(self) -> list[Part]:
        return [head(b"H"), json.dumps(dataclasses.asdict(self)).encode()]

    @classmethod
    def read(cls, parts: Sequence[Part]) -> Greeting:
        """Raises WireError that names both versions if they differ, and for what is no greeting."""
        table = _read_json(parts)
        if not isinstance(table, dict) or (table.get("version"), table.get("schema")) != (VERSION, SCHEMA):
            got = ascii((table.get("version"), table.get("schema")) if isinstance(table, dict) else table)[:64]
            raise WireError(f"greeting: expected protocol version {VERSION} and message schema {SCHEMA}, got {got}; update one host")
        try:
            greeting = from_mapping(cls, {name: table.get(name) for name in ("version", "schema", "offers")}, "greeting")
        except ConfigError as error:
            raise WireError(str(error)) from error
        if len(greeting.offers) > MAX_OFFERS:
            raise WireError(f"greeting: expected at most {MAX_OFFERS} topics, got {len(greeting.offers)}")
        for word in (*greeting.offers.keys(), *greeting.offers.values()):
            if not (len(word) <= 64 and word.isascii() and word.isprintable()):
                raise WireError(f"greeting: expected names of at most 64 plain characters, got {ascii(word)[:64]}")
        return greeting

    def choose(self, accept: Sequence[str]) -> tuple[dict[str, Topic[Any]], list[str]]:
        """The offered topics that match a pattern of `accept`, and a sentence for each of these that this host knows otherwise."""
        chosen, strange = {}, []
        for name, kind in self.offers.items():
            if not any(fnmatch.fnmatchcase(name, pattern) for pattern in accept):
                continue
            try:
                topic = find(name)
            except BusError:
                strange.append(f"{name!r} is not a topic here")
                continue
            if topic.type.__name__ != kind:
                strange.append(f"{name} carries {kind} there and {topic.type.__name__} here")
            else:
                chosen[name] = topic
        return chosen, strange


def names(kind: bytes, topics: Iterable[str]) -> list[Part]:
    """A message that lists topics: those that are wanted (W), or that live (L)."""
    return [head(kind), json.dumps(sorted(topics)).encode()]


def read_names(parts: Sequence[Part]) -> list[str]:
    """The topics that the other end lists. Raises WireError."""
    topics = _read_json(parts)
    if not isinstance(topics, list) or len(topics) > MAX_OFFERS or not all(isinstance(name, str) for name in topics):
        raise WireError(f"names: expected at most {MAX_OFFERS} topics")
    return topics


def read_reason(parts: Sequence[Part]) -> str:
    """Why the other end wants no more, made fit for a terminal."""
    text = bytes(parts[1][:400]).decode(errors="replace") if len(parts) == 2 else ""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _read_json(parts: Sequence[Part]) -> Any:
    if len(parts) != 2 or len(parts[1]) > MAX_JSON_BYTES:
        raise WireError(f"expected one part of at most {MAX_JSON_BYTES} bytes of JSON")
    try:
        return json.loads(bytes(parts[1]))
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from error


def pack(message: Any, shift_ns: int, quality: int) -> list[Part]:
    """The parts of a message with its stamps moved, of a picture coded; none, and a line in the log, for what is too large to be sent."""
    try:
        message = shift_stamps(message, shift_ns)
        parts = codec.encode(compress(message, quality) if isinstance(message, Image) else message)
    except SeeSayError as error:
        _log.warning("a message is not sent: %s", error)
        return []
    size = sum(map(len, parts))
    if size + 1024 > MAX_MESSAGE_BYTES:
        _log.warning("a message is not sent: expected at most %d bytes, got a %s of %d", MAX_MESSAGE_BYTES, type(message).__name__, size)
        return []
    return parts


def unpack(parts: Sequence[Part], kind: type[Any], shift_ns: int) -> Any:
    """The message of type `kind` that `pack` made, its stamps moved. Raises WireError."""
    message = decompress(codec.decode(parts, CompressedImage)) if kind is Image else codec.decode(parts, kind)
    return shift_stamps(message, shift_ns)


class Flow:
    """One topic on its way to one peer: what waits, and how much is under way."""

    def __init__(self, topic: Topic[Any], first: Iterable[Received[Any]] = ()) -> None:
        self.topic = topic
        self._latest = topic.keep == "latest"
        self._window = 1 if self._latest else 32
        self._sent_ns = 0
        self.waiting: deque[Received[Any]] = deque(first, maxlen=1 if self._latest else topic.depth)
        self.sent = self.taken = self.dropped = 0

    def offer(self, received: Received[Any]) -> None:
        """A new message waits; the oldest makes room."""
        if len(self.waiting) == self.waiting.maxlen:
            self.dropped += 1
            say_lost(self.topic, "the other host takes them too slowly")
        self.waiting.append(received)

    @property
    def pending(self) -> int:
        """How many messages wait or are not acknowledged."""
        return len(self.waiting) + self.sent - self.taken

    @property
    def ready(self) -> bool:
        """Whether something may be sent now."""
        return bool(self.waiting) and self.sent - self.taken < self._window

    def next(self) -> tuple[int, Received[Any]]:
        """The number and the message to send now."""
        self.sent += 1
        self._sent_ns = time.monotonic_ns()
        return self.sent, self.waiting.popleft()

    def acknowledge(self, number: int, round_trip_ns: int) -> None:
        """The peer has message `number` and those before it; an empty message's way there and back takes `round_trip_ns`."""
        self.taken = max(self.taken, min(number, self.sent))
        if self._latest and self.taken == self.sent:
            self._window = 2 if time.monotonic_ns() - self._sent_ns < 2 * round_trip_ns else 1


@dataclass(eq=False)
class Link:
    """One peer that has greeted us.

    taking: the topics we want of it. living: those of them whose publishers live there. flows: those that it wants of us, once it has
    `asked`. offset_ns: its clock minus ours.
    """

    route: bytes
    peer: str
    taking: set[str]
    living: set[str] = field(default_factory=set)
    flows: dict[str, Flow] = field(default_factory=dict)
    asked: bool = False
    heard: float = field(default_factory=time.monotonic)
    received: int = 0
    invalid: int = 0
    replaced: int = 0
    offset_ns: int = 0
    offset_error_ns: int = 0
    round_trip_ns: int = 0
    note: str = ""

    def note_clock(self, estimate: OffsetEstimate) -> None:
        self.offset_ns, self.offset_error_ns, self.round_trip_ns = estimate.offset_ns, estimate.error_ns, estimate.round_trip_ns

    def status(self, header: Header) -> LinkStatus:
        sent, dropped = sum(flow.sent for flow in self.flows.values()), sum(flow.dropped for flow in self.flows.values())
        state: Literal["up", "connecting"] = "up" if self.asked else "connecting"
        clock = self.offset_ns, self.offset_error_ns, self.round_trip_ns
        return LinkStatus(header, self.peer, state, *clock, sent, self.received, self.replaced + dropped, self.invalid, self.note)


def say_lost(topic: Topic[Any], why: str) -> None:
    """A message was lost between the hosts: of a reliable topic that is said aloud."""
    if topic.reliable:
        _log.warning("topic %s: a message was lost: %s", topic.name, why)


def keep_latched(kept: dict[tuple[str, str], Received[Any]], topic: Topic[Any], received: Received[Any]) -> None:
    """Keep the last message of each publisher, or of each value of the topic's key, at most `MAX_LATCHED`."""
    key = received.publisher, str(getattr(received.message, topic.key)) if topic.key else ""
    kept.pop(key, None)
    kept[key] = received
    if len(kept) > MAX_LATCHED:
        del kept[next(iter(kept))]


def statuses(header: Header, links: Iterable[Link], dialing: str, refusal: str) -> list[LinkStatus]:
    """How it stands with each peer that is there, for who is `dialing` a peer also with one that is not."""
    rows = [link.status(header) for link in links]
    if rows or not dialing:
        return rows
    why = "no answer: does the other gateway run, and is our key allowed there?"
    return [LinkStatus(header, dialing, "refused" if refusal else "connecting", message=refusal or why)]
