"""Where the time of a node comes from."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from seesay import messages
from seesay.pubsub import Subscriber


class Clock(Protocol):
    """`name` goes into the headers of messages; `now_ns()` is the time in nanoseconds."""

    @property
    def name(self) -> messages.Clock: ...

    def now_ns(self) -> int: ...


class MonotonicClock:
    """CLOCK_MONOTONIC, the same for all processes of a host."""

    name: messages.Clock = "monotonic"

    def now_ns(self) -> int:
        return time.monotonic_ns()


class SimClock:
    """The time of the simulator, as last heard on the topic `clock`; 0 before that."""

    name: messages.Clock = "sim"

    def __init__(self, ticks: Subscriber[messages.ClockTick]) -> None:
        self._ticks = ticks

    def now_ns(self) -> int:
        tick = self._ticks.latest()
        return tick.message.header.stamp_ns if tick else 0


class ManualClock:
    """A clock that is moved by hand: for tests, and for a simulation in the same process."""

    def __init__(self, now_ns: int = 0, name: messages.Clock = "sim") -> None:
        self.name: messages.Clock = name
        self._now_ns = now_ns
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        return self._now_ns

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now_ns += round(seconds * 1e9)

    def set(self, now_ns: int) -> None:
        with self._lock:
            self._now_ns = now_ns
