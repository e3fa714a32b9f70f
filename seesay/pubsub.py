"""Publishers and subscribers without a transport: sequence numbers, mailboxes and health.

`seesay.bus.Bus` adds sockets, `seesay.memory_bus.MemoryBus` works inside one process. Both give the same promises: at most once; the
newest message of a keep-latest topic and the last `depth` unread ones of a keep-all topic, with everything lost counted; the last value
of a latched topic for whoever comes late.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from seesay.codec import Part, decode, encode
from seesay.errors import BusError, WireError
from seesay.serving import ServiceBus
from seesay.topics import Keep, Topic

M = TypeVar("M")

_ENVELOPE = struct.Struct("<4sBB16sQq")
_MAGIC, _VERSION = b"SSAY", 1
_MAX_KEYS = 1024


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a publisher says about a message: who sent it and when, and whether it repeats a latched value for a newcomer.

    instance: 16 random bytes of the publisher's life, so that a restart is seen. sequence: 1, 2, ... in that life.
    sent_ns: CLOCK_MONOTONIC. On the wire: "SSAY", version u8, replay u8, instance, sequence u64, sent_ns i64, node, NUL, key.
    """

    node: str
    instance: bytes
    sequence: int
    sent_ns: int
    key: str = ""
    replay: bool = False

    def pack(self) -> bytes:
        head = _ENVELOPE.pack(_MAGIC, _VERSION, self.replay, self.instance, self.sequence, self.sent_ns)
        return head + self.node.encode() + b"\0" + self.key.encode()

    @classmethod
    def unpack(cls, data: bytes) -> Envelope:
        """Raises WireError unless `data` is an envelope of this version."""
        if not _ENVELOPE.size < len(data) <= 512:
            raise WireError(f"envelope: expected {_ENVELOPE.size + 1} to 512 bytes, got {len(data)}")
        magic, version, replay, instance, sequence, sent_ns = _ENVELOPE.unpack_from(data)
        node, zero, key = data[_ENVELOPE.size :].partition(b"\0")
        if magic != _MAGIC or version != _VERSION or not zero:
            raise WireError(f"envelope: expected version {_VERSION} of SSAY, got {magic!r} {version}")
        try:
            return cls(node.decode(), instance, sequence, sent_ns, key.decode(), bool(replay))
        except UnicodeDecodeError as error:
            raise WireError(f"envelope: {error}") from error


@dataclass(frozen=True, slots=True)
class Received(Generic[M]):
    """A message with its publisher (node name), the publisher's sequence number, and both ends' CLOCK_MONOTONIC in nanoseconds."""

    message: M
    publisher: str
    sequence: int
    sent_ns: int
    received_ns: int


@dataclass(frozen=True, slots=True)
class Stats:
    """Health of a subscription. dropped: came but were replaced unread. gaps: sent but never came. invalid: not messages of this topic.

    restarts: publishers that came back. age_s: since the last arrival, None before it. alive: a message in the last ten periods of
    the topic's rate (for topics without a rate: any message yet). rate_hz: over the last 32 arrivals; rate_ok: at least 0.8 of the topic's.
    """

    received: int
    dropped: int
    gaps: int
    invalid: int
    restarts: int
    age_s: float | None
    alive: bool
    rate_hz: float
    rate_ok: bool


class Publisher(Generic[M]):
    """Sends the messages of one topic; any thread may call it. Made by a bus."""

    def __init__(
        self, topic: Topic[M], node: str, condition: threading.Condition, transmit: Callable[[Envelope, Sequence[Part]], None]
    ) -> None:
        self.topic = topic
        self.instance = os.urandom(16)
        self.sequence = 0
        self.subscribers = 0
        self._node = node
        self._condition = condition
        self._transmit = transmit
        self._lock = threading.Lock()

    def send(self, message: M) -> int:
        """Send and return the sequence number. The message's large arrays are not copied: do not change them afterwards.

        Raises BusError for another type than the topic's, and WireError for what cannot be encoded.
        """
        if not isinstance(message, self.topic.type):
            raise BusError(f"topic {self.topic.name}: expected {self.topic.type.__name__}, got {type(message).__name__}")
        parts = encode(message)
        key = str(getattr(message, self.topic.key))[:256] if self.topic.key else ""
        with self._lock:
            self.sequence += 1
            self._transmit(Envelope(self._node, self.instance, self.sequence, time.monotonic_ns(), key), parts)
            return self.sequence

    def wait_for_subscribers(self, count: int = 1, timeout: float | None = None) -> bool:
        """Wait until `count` subscribers are there; tell whether they are."""
        with self._condition:
            return self._condition.wait_for(lambda: self.subscribers >= count, timeout)

    def count_subscriber(self, change: int) -> None:
        """For a transport: a subscriber came (1) or went (-1)."""
        with self._condition:
            self.subscribers = max(0, self.subscribers + change)
            self._condition.notify_all()


@dataclass(slots=True)
class _Peer:
    """What is known of one publisher: its life, its last sequence number, and the last one of each key."""

    instance: bytes
    last: int | None = None
    keys: dict[str, int] = field(default_factory=dict)


class Subscriber(Generic[M]):
    """The mailbox of one topic. Made by a bus; any thread may take from it."""

    def __init__(self, topic: Topic[M], gate: Gate, keep: Keep | None = None, depth: int | None = None) -> None:
        self.topic = topic
        self._gate = gate
        size = 1 if (keep or topic.keep) == "latest" else (depth or topic.depth)
        self._unread: deque[Received[M]] = deque(maxlen=size)
        self._last: Received[M] | None = None
        self._peers: dict[str, _Peer] = {}
        self._arrivals: deque[float] = deque(maxlen=32)
        self._received = self._dropped = self._gaps = self._invalid = self._restarts = 0

    def take(self, timeout: float | None = None) -> Received[M] | None:
        """Return the oldest unread message, which for a keep-latest topic is the newest one.

        Waits up to `timeout` seconds (None: for ever) and returns None if nothing came, or once the bus is interrupted or closed.
        """
        with self._gate.condition:
            self._gate.condition.wait_for(lambda: self._unread or self._gate.open, timeout)
            return self._unread.popleft() if self._unread else None

    def take_all(self) -> list[Received[M]]:
        """Return all unread messages, oldest first, without waiting."""
        with self._gate.condition:
            unread = list(self._unread)
            self._unread.clear()
            return unread

    def latest(self) -> Received[M] | None:
        """Return the newest message, read or not, without taking it; None before the first."""
        return self._last

    @property
    def unread(self) -> int:
        return len(self._unread)

    @property
    def stats(self) -> Stats:
        with self._gate.condition:
            now, arrivals = time.monotonic(), list(self._arrivals)
            counts = (self._received, self._dropped, self._gaps, self._invalid, self._restarts)
        age = now - arrivals[-1] if arrivals else None
        rate = (len(arrivals) - 1) / max(now - arrivals[0], 1e-9) if len(arrivals) > 1 else 0.0
        wanted = self.topic.rate_hz
        alive = age is not None and (wanted == 0 or age < 10 / wanted)
        return Stats(*counts, age, alive, rate, wanted == 0 or rate >= 0.8 * wanted)

    def deliver(self, envelope: bytes, parts: Sequence[Part]) -> None:
        """For a transport: take in one message. Raises WireError, after counting it, for what is not a message of the topic."""
        try:
            head = Envelope.unpack(envelope)
            message = decode(parts, self.topic.type)
        except WireError:
            with self._gate.condition:
                self._invalid += 1
            raise
        with self._gate.condition:
            if not self._is_new(head):
                return
            self._received += 1
            self._dropped += len(self._unread) == self._unread.maxlen
            self._arrivals.append(time.monotonic())
            self._last = Received(message, head.node, head.sequence, head.sent_ns, time.monotonic_ns())
            self._unread.append(self._last)
            self._gate.condition.notify_all()

    def _is_new(self, head: Envelope) -> bool:
        """Keep count of one publisher's numbers. A latched value is repeated to all when a newcomer asks for it; only its news counts."""
        peer = self._peers.get(head.node)
        if peer is None or peer.instance != head.instance:
            self._restarts += peer is not None
            peer = self._peers[head.node] = _Peer(head.instance)
        if head.sequence <= peer.keys.get(head.key, 0):
            return False
        if not head.replay:
            if peer.last is not None:
                self._gaps += max(0, head.sequence - peer.last - 1)
            peer.last = head.sequence
        peer.keys.pop(head.key, None)
        peer.keys[head.key] = head.sequence
        if len(peer.keys) > _MAX_KEYS:
            del peer.keys[next(iter(peer.keys))]
        return True


class Gate:
    """What all mailboxes of a bus wait on. Once `open`, no call waits any more."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.open = False

    def set_open(self) -> None:
        with self.condition:
            self.open = True
            self.condition.notify_all()

    def wait(self, subscribers: Iterable[Subscriber[Any]], timeout: float | None) -> list[Subscriber[Any]]:
        """Wait until one of `subscribers` has something unread; return those that have."""
        watched = list(subscribers)
        with self.condition:
            self.condition.wait_for(lambda: self.open or any(s.unread for s in watched), timeout)
            return [s for s in watched if s.unread]


class AnyBus(ServiceBus, Protocol):
    """What a node needs of a bus: `seesay.bus.Bus` between processes, `MemoryBus` inside one."""

    node: str

    def publisher(self, topic: Topic[M]) -> Publisher[M]:
        """Return this node's publisher of a topic, always the same one."""
        ...

    def subscriber(self, topic: Topic[M], keep: Keep | None = None, depth: int | None = None) -> Subscriber[M]:
        """Return a new subscription, with its own mailbox; `keep` and `depth` override the topic's."""
        ...

    def wait(self, subscribers: Iterable[Subscriber[Any]], timeout: float | None = None) -> list[Subscriber[Any]]:
        """Wait until one of `subscribers` has something unread; return those that have (none: time is up, interrupted or closed)."""
        ...

    def interrupt(self) -> None:
        """From now on no call waits; unread messages can still be taken."""
        ...

    def close(self) -> None:
        """Stop sending and receiving. May be called twice."""
        ...
