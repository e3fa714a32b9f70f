"""Replays a recording on a bus: same messages, same order, same stamps, at any rate; with `clock`, as the time of the session."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from seesay import topics
from seesay.bag.reader import BagReader, Recorded
from seesay.errors import BagError, BusError
from seesay.messages import ClockTick, Header, Image
from seesay.pubsub import AnyBus
from seesay.topics import CLOCK, Topic

TICK_S = 0.025
JUMP_NS = 1_000_000_000
NOT_UNASKED = (
    "arm/command", "clock", "emergency_stop", "instruction", "launch_status", "link_status", "node_status", "skill_cancel", "skill_goal"
)  # fmt: skip


class Time(Protocol):
    """Real time in seconds, as tests may replace it."""

    def now(self) -> float: ...

    def wait(self, until: float) -> None: ...


class RealTime:
    """CLOCK_MONOTONIC; `wait` ends early when `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def now(self) -> float:
        return time.monotonic()

    def wait(self, until: float) -> None:
        self._stop.wait(max(0.0, until - time.monotonic()))


@dataclass(frozen=True)
class How:
    """rate: recorded seconds a second. clock: publish the recording's time on `clock`, and let all headers be of that clock.

    start_offset_s: where to begin; latched values from before are played at once. patterns: topics to play, as in a shell; by default all
    but those that command a robot or speak for running nodes (NOT_UNASKED). remap: topic names of the recording to names on the bus.
    """

    rate: float = 1.0
    clock: bool = False
    start_offset_s: float = 0.0
    patterns: tuple[str, ...] = ()
    remap: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise BagError(f"rate: expected a positive number, got {self.rate}")

    def plays(self, name: str) -> bool:
        """Tell whether a topic, under its name on the bus, is played."""
        if self.clock and name == CLOCK.name:
            return False
        if self.patterns:
            return any(fnmatchcase(name, pattern) for pattern in self.patterns)
        return not any(name == other or name.endswith(f"/{other}") for other in NOT_UNASKED)


class Player:
    """Replays the recording at `path` on `bus`. `published` counts messages by topic; `unread` names channels that cannot be played.

    Raises BagError if there is nothing to play.
    """

    def __init__(self, bus: AnyBus, path: Path | str, how: How | None = None) -> None:
        self.published: dict[str, int] = {}
        self._bus, self._how = bus, how or How()
        self._reader = BagReader(path)
        self._known: dict[str, Topic[Any] | None] = {}
        self._names = [name for name in self._reader.topics() if self._topic(name) is not None]
        if not self._names:
            reasons = "".join(f" ({reason})" for reason in list(self.unread.values())[:3])
            raise BagError(f"recording {path}: expected topics that can be played, got none{reasons}; see `seesay bag info` and --topics")

    @property
    def unread(self) -> dict[str, str]:
        return self._reader.unread

    def open(self) -> None:
        """Open a publisher for each topic, so that subscribers find them before the first message."""
        if self._how.clock:
            self._bus.publisher(CLOCK)
        for name in self._names:
            if (topic := self._topic(name)) is not None:
                self._bus.publisher(topic)

    def play(self, stop: threading.Event, real_time: Time | None = None) -> None:
        """Replay once; returns at the end or when `stop` is set."""
        real = real_time or RealTime(stop)
        early: dict[tuple[str, str], Recorded] = {}
        first_ns = now_ns = -1
        begin = 0.0
        with closing(self._recorded()) as messages:
            for recorded in messages:
                if first_ns < 0:
                    first_ns = recorded.log_ns + round(self._how.start_offset_s * 1e9)
                if now_ns < 0 and recorded.log_ns < first_ns:
                    self._keep(early, recorded)
                    continue
                if now_ns < 0 or recorded.log_ns < now_ns - JUMP_NS:   # the beginning, or the recorded clock was set back
                    first_ns = now_ns = recorded.log_ns if now_ns >= 0 else first_ns
                    begin = real.now()
                self._publish_all(early, first_ns)
                now_ns = self._wait(now_ns, recorded.log_ns, begin, first_ns, real, stop)
                if stop.is_set():
                    return
                self._publish(recorded, now_ns)
            self._publish_all(early, first_ns)

    def _wait(self, now_ns: int, until_ns: int, begin: float, first_ns: int, real: Time, stop: threading.Event) -> int:
        """Let the recording's time pass from one message to the next, telling it on the way; return the later of both.

        `first_ns` in the recording is `begin` in real time.
        """

        def due(at_ns: int) -> float:
            return begin + (at_ns - first_ns) / 1e9 / self._how.rate

        step_ns = max(1, round(TICK_S * self._how.rate * 1e9))
        while self._how.clock and until_ns - now_ns > step_ns and not stop.is_set():
            now_ns += step_ns
            real.wait(due(now_ns))
            self._tick(now_ns)
        if until_ns > now_ns:
            real.wait(due(until_ns))
        return max(now_ns, until_ns)

    def _publish(self, recorded: Recorded, now_ns: int) -> None:
        topic = self._topic(recorded.topic)
        if topic is None:
            return
        message = recorded.message
        if self._how.clock:
            self._tick(now_ns)
            message = replace(message, header=replace(message.header, clock="sim"))
        self._send(topic, message)
        self.published[topic.name] = self.published.get(topic.name, 0) + 1

    def _send(self, topic: Topic[Any], message: Any) -> None:
        publisher = self._bus.publisher(topic)
        if not isinstance(message, Image):
            publisher.send(message)
            return
        with publisher.loan(message.height, message.width, message.encoding, message.header) as pixels:
            np.copyto(pixels, message.data)

    def _publish_all(self, early: dict[tuple[str, str], Recorded], now_ns: int) -> None:
        for recorded in early.values():
            self._publish(recorded, now_ns)
        early.clear()

    def _keep(self, early: dict[tuple[str, str], Recorded], recorded: Recorded) -> None:
        topic = self._topic(recorded.topic)
        if topic is not None and topic.latched:
            key = str(getattr(recorded.message, topic.key)) if topic.key else ""
            early.pop((topic.name, key), None)
            early[topic.name, key] = recorded

    def _tick(self, now_ns: int) -> None:
        if self._how.clock:
            self._bus.publisher(CLOCK).send(ClockTick(Header(now_ns, clock="sim")))

    def _recorded(self) -> Generator[Recorded]:
        return self._reader.messages(lambda name: self._topic(name) is not None)

    def _topic(self, name: str) -> Topic[Any] | None:
        """The topic on the bus for one of the recording; None if it is not played."""
        if name not in self._known:
            self._known[name] = None
            target = self._how.remap.get(name, name)
            try:
                topic = topics.find(target)
            except BusError as error:
                self._reader.unread[name] = f"{name}: {error}; give it another name with --remap"
            else:
                self._known[name] = topic if self._how.plays(target) else None
        return self._known[name]
