"""Where the time of a node comes from."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from seesay import messages
from seesay.pubsub import Subscriber

_LOOK_S = 0.5


class Clock(Protocol):
    """`name` goes into the headers of messages; `now_ns()` is the time in nanoseconds."""

    @property
    def name(self) -> messages.Clock: ...

    def now_ns(self) -> int: ...


class NodeClock(Clock, Protocol):
    """A clock that a node can also wait on."""

    def wait(self, until_ns: int, stop: threading.Event) -> None:
        """Return when the clock shows `until_ns`, when `stop` is set, or earlier: look at the clock again, it may have jumped."""
        ...


class MonotonicClock:
    """CLOCK_MONOTONIC, the same for all processes of a host."""

    name: messages.Clock = "monotonic"

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def wait(self, until_ns: int, stop: threading.Event) -> None:
        stop.wait(max(0, until_ns - self.now_ns()) / 1e9)


class SimClock:
    """The time of the simulator, as last heard on the topic `clock`; 0 before that."""

    name: messages.Clock = "sim"

    def __init__(self, ticks: Subscriber[messages.ClockTick]) -> None:
        self._ticks = ticks

    def now_ns(self) -> int:
        tick = self._ticks.latest()
        return tick.message.header.stamp_ns if tick else 0

    def wait(self, until_ns: int, stop: threading.Event) -> None:
        if self.now_ns() < until_ns and not stop.is_set():
            self._ticks.take(_LOOK_S)


class ManualClock:
    """A clock that is moved by hand: for tests, and for a simulation in the same process."""

    def __init__(self, now_ns: int = 0, name: messages.Clock = "sim") -> None:
        self.name: messages.Clock = name
        self._now_ns = now_ns
        self._moved = threading.Condition()

    def now_ns(self) -> int:
        return self._now_ns

    def wait(self, until_ns: int, stop: threading.Event) -> None:
        with self._moved:
            if self._now_ns < until_ns and not stop.is_set():
                self._moved.wait(_LOOK_S)

    def advance(self, seconds: float) -> None:
        with self._moved:
            self._now_ns += round(seconds * 1e9)
            self._moved.notify_all()

    def set(self, now_ns: int) -> None:
        with self._moved:
            self._now_ns = now_ns
            self._moved.notify_all()
