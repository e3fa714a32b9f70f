"""How a subscription is doing: what came, what was lost, how old it was, and whether its publishers live."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seesay.codec import REPLAY, Envelope
from seesay.topics import Topic

_MAX_KEYS = 1024
_MAX_PEERS = 256


@dataclass(frozen=True, slots=True)
class Stats:
    """Health of a subscription.

    received: all that came. dropped: came but was replaced unread. gaps: sent but never came. torn: written over by the publisher
    while it was copied, and thrown away. invalid: not messages of this topic. restarts: publishers that came back.
    age_s: since the last arrival, None before it. age_p50_ms, age_p99_ms: from sending to taking, of the last 256 taken; a gateway sends
    anew. stamp_age_p50_ms, stamp_age_p99_ms: from acquisition, as the header has it, to taking, on whichever host that was; None while
    stamps are of a simulated clock.
    rate_hz: over the last 32 arrivals; rate_ok: at least 0.8 of the topic's. late: arrivals after more than the topic's deadline, one
    that is now overdue included. publishers: each with whether it was heard of within the topic's lease; alive: any of them.
    """

    received: int
    dropped: int
    gaps: int
    torn: int
    invalid: int
    restarts: int
    age_s: float | None
    age_p50_ms: float | None
    age_p99_ms: float | None
    stamp_age_p50_ms: float | None
    stamp_age_p99_ms: float | None
    rate_hz: float
    rate_ok: bool
    late: int
    publishers: dict[str, bool]

    @property
    def alive(self) -> bool:
        return any(self.publishers.values())


@dataclass(slots=True)
class _Peer:
    """What is known of one publisher: its life, its last sequence number, the last one of each key, and until when it counts as alive."""

    instance: bytes
    last: int | None = None
    keys: dict[str, int] = field(default_factory=dict)
    alive_until: float = 0.0
    told_alive: bool = True


class Health:
    """Counts for one subscription. Its user holds a lock."""

    def __init__(self, topic: Topic[Any]) -> None:
        self._topic = topic
        self._peers: dict[str, _Peer] = {}
        self._arrivals: deque[float] = deque(maxlen=32)
        self._ages_ns: deque[int] = deque(maxlen=256)
        self._stamp_ages_ns: deque[int] = deque(maxlen=256)
        self._received = self._late = self._gaps = self._restarts = 0
        self.dropped = self.torn = self.invalid = 0
        self._told_late = False

    def hear(self, head: Envelope, lease_s: float) -> _Peer:
        """A publisher gave a sign of life; without another it counts as alive for `lease_s`."""
        peer = self._peers.get(head.node)
        if peer is None or peer.instance != head.instance:
            self._restarts += peer is not None
            peer = self._peers[head.node] = _Peer(head.instance)
            if len(self._peers) > _MAX_PEERS:
                del self._peers[next(iter(self._peers))]
        peer.alive_until = time.monotonic() + lease_s
        return peer

    def part(self, head: Envelope) -> None:
        """A publisher said that it ends."""
        peer = self._peers.get(head.node)
        if peer is not None and peer.instance == head.instance:
            peer.alive_until, peer.told_alive = 0.0, False

    def arrive(self, head: Envelope, lease_s: float) -> int | None:
        """Count a message and return how many before it never came; None for a repetition of what is known.

        A latched value is repeated to all when a newcomer asks for it; only its news counts.
        """
        peer = self.hear(head, lease_s)
        if head.sequence <= peer.keys.get(head.key, 0):
            return None
        lost = 0
        if not head.flags & REPLAY:
            if peer.last is not None:
                lost = max(0, head.sequence - peer.last - 1)
            peer.last = head.sequence
        peer.keys.pop(head.key, None)
        peer.keys[head.key] = head.sequence
        if len(peer.keys) > _MAX_KEYS:
            del peer.keys[next(iter(peer.keys))]
        now = time.monotonic()
        self._late += self._overdue(now)
        self._told_late = False
        self._arrivals.append(now)
        self._received += 1
        self._gaps += lost
        return lost

    def catch_up(self, head: Envelope) -> int:
        """A publisher said which number it sent last: count and return how many of those before never came."""
        peer = self._peers.get(head.node)
        if peer is None or peer.instance != head.instance:
            return 0
        lost = 0 if peer.last is None else max(0, head.sequence - peer.last)
        peer.last = head.sequence
        self._gaps += lost
        return lost

    def take(self, head: Envelope, message: Any) -> None:
        """A message reached its consumer."""
        header, now_ns = message.header, time.monotonic_ns()
        self._ages_ns.append(now_ns - head.sent_ns)
        if header.clock == "monotonic":
            self._stamp_ages_ns.append(now_ns - header.stamp_ns)
        elif header.clock == "unix":
            self._stamp_ages_ns.append(time.time_ns() - header.stamp_ns)

    def news(self) -> list[str]:
        """Return what has gone wrong or right since the last call, in words."""
        now, words = time.monotonic(), []
        for node, peer in self._peers.items():
            if (now < peer.alive_until) != peer.told_alive:
                peer.told_alive = not peer.told_alive
                words.append(f"{node} is back" if peer.told_alive else f"nothing was heard of {node} for {self._topic.lease_s:g} s")
        if self._overdue(now) and not self._told_late:
            self._told_late = True
            words.append(f"no message for {self._topic.deadline_s:g} s")
        return words

    def stats(self) -> Stats:
        now, arrivals, wanted = time.monotonic(), self._arrivals, self._topic.rate_hz
        rate = (len(arrivals) - 1) / max(now - arrivals[0], 1e-9) if len(arrivals) > 1 else 0.0
        return Stats(
            self._received, self.dropped, self._gaps, self.torn, self.invalid, self._restarts, now - arrivals[-1] if arrivals else None,
            *_percentiles_ms(self._ages_ns), *_percentiles_ms(self._stamp_ages_ns),
            rate, wanted == 0 or rate >= 0.8 * wanted, self._late + self._overdue(now),
            self.publishers(),
        )  # fmt: skip

    def publishers(self) -> dict[str, bool]:
        """Whom it heard of, and whether they live."""
        now = time.monotonic()
        return {node: now < peer.alive_until for node, peer in self._peers.items()}

    def _overdue(self, now: float) -> bool:
        return bool(self._topic.deadline_s and self._arrivals and now - self._arrivals[-1] > self._topic.deadline_s)


def _percentiles_ms(ages_ns: Iterable[int]) -> tuple[float | None, float | None]:
    """The median and the 99th percentile."""
    ages = list(ages_ns)
    if not ages:
        return None, None
    p50, p99 = np.percentile(ages, (50, 99)) / 1e6
    return float(p50), float(p99)
