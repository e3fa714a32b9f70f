"""What `seesay topic hz`, `bw` and `delay` measure. Output as ros2 prints it."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Protocol

import numpy as np

from seesay import topics
from seesay.bus import Bus, Received, Stats, Subscriber
from seesay.codec import encode
from seesay.messages import ClockTick, Image
from seesay.nodes import sessions
from seesay.nodes.commands.shell import say, shown, warn
from seesay.nodes.commands.topic_verbs import find_topic
from seesay.nodes.discovery import own_name, publishers

LOOK_S = 1.0


class Meter(Protocol):
    """Takes in what arrives and describes it, as plain values for a program and as text for a person; None: nothing to say yet."""

    @property
    def KEYS(self) -> tuple[str, ...]: ...

    def add(self, received: Received[Any], clock: Subscriber[ClockTick]) -> None: ...

    def values(self) -> dict[str, Any] | None: ...

    def text(self, values: dict[str, Any]) -> str: ...


class Rate:
    """How regularly messages arrive: over the last `window` of them."""

    KEYS = ("rate_hz", "min_s", "max_s", "std_s", "window")

    def __init__(self, window: int) -> None:
        self._times: deque[float] = deque(maxlen=window)

    def add(self, received: Received[Any], clock: Subscriber[ClockTick]) -> None:
        self._times.append(received.received_ns / 1e9)

    def values(self) -> dict[str, Any] | None:
        gaps = np.diff(self._times)
        if not len(gaps) or gaps.mean() <= 0:
            return None
        return dict(zip(self.KEYS, (1 / gaps.mean(), gaps.min(), gaps.max(), gaps.std(), len(self._times)), strict=True))

    def text(self, values: dict[str, Any]) -> str:
        return "average rate: {rate_hz:.3f}\n\tmin: {min_s:.3f}s max: {max_s:.3f}s std dev: {std_s:.5f}s window: {window}".format(**values)


class Bandwidth:
    """How many bytes arrive a second, and how large messages are, as they lie on the wire of this host."""

    KEYS = ("bytes_per_s", "messages", "mean_bytes", "min_bytes", "max_bytes")

    def __init__(self, window: int) -> None:
        self._sizes: deque[tuple[float, int]] = deque(maxlen=window)

    def add(self, received: Received[Any], clock: Subscriber[ClockTick]) -> None:
        size = sum(memoryview(part).nbytes for part in encode(received.message))
        self._sizes.append((received.received_ns / 1e9, size))

    def values(self) -> dict[str, Any] | None:
        if len(self._sizes) < 2:
            return None
        sizes = np.array([size for _, size in self._sizes], float)
        duration = max(time.monotonic() - self._sizes[0][0], 1e-9)
        return dict(zip(self.KEYS, (sizes.sum() / duration, len(sizes), sizes.mean(), sizes.min(), sizes.max()), strict=True))

    def text(self, values: dict[str, Any]) -> str:
        mean, least, most = (_bytes(values[f"{name}_bytes"]) for name in ("mean", "min", "max"))
        rate = f"{_bytes(values['bytes_per_s'])}/s from {values['messages']} messages"
        return f"{rate}\n\tMessage size mean: {mean} min: {least} max: {most}"


class Delay:
    """How old messages are when they arrive, by the stamp of their acquisition and the clock that it names."""

    KEYS = ("delay_s", "min_s", "max_s", "std_s", "window")

    def __init__(self, window: int) -> None:
        self._delays: deque[float] = deque(maxlen=window)

    def add(self, received: Received[Any], clock: Subscriber[ClockTick]) -> None:
        header = received.message.header
        if header.clock == "sim":
            tick = clock.latest()
            now = tick.message.header.stamp_ns if tick else header.stamp_ns
        else:
            now = received.received_ns if header.clock == "monotonic" else time.time_ns()
        self._delays.append((now - header.stamp_ns) / 1e9)

    def values(self) -> dict[str, Any] | None:
        delays = np.array(self._delays)
        if not len(delays):
            return None
        return dict(zip(self.KEYS, (delays.mean(), delays.min(), delays.max(), delays.std(), len(delays)), strict=True))

    def text(self, values: dict[str, Any]) -> str:
        return "average delay: {delay_s:.3f}\n\tmin: {min_s:.3f}s max: {max_s:.3f}s std dev: {std_s:.5f}s window: {window}".format(**values)


def watch(name: str, meter: Meter, count: int, as_json: bool, session: str) -> None:
    """Print what the meter says once a second, `count` times or until Ctrl-C."""
    directory = sessions.running(session)
    topic = find_topic(name, directory)
    if topic.name not in publishers(directory):
        warn(f"WARNING: topic [{topic.name}] does not appear to be published yet")
    with Bus(directory, own_name()) as bus:
        clock, subscriber = bus.subscriber(topics.CLOCK), bus.subscriber(topic, keep="all", depth=8 if topic.type is Image else 1000)
        lines = 0
        while not count or lines < count:
            _take_for_a_second(subscriber, clock, meter)
            values = meter.values()
            if values is not None or as_json:
                say(_line(meter, values, subscriber.stats, topic.rate_hz, as_json))
                lines += 1


def _take_for_a_second(subscriber: Subscriber[Any], clock: Subscriber[ClockTick], meter: Meter) -> None:
    until = time.monotonic() + LOOK_S
    while (left := until - time.monotonic()) > 0:
        received = subscriber.take(left)
        if received is not None:
            meter.add(received, clock)


def _line(meter: Meter, values: dict[str, Any] | None, stats: Stats, expected_hz: float, as_json: bool) -> str:
    counts = {"expected_hz": expected_hz, "received": stats.received, "lost": stats.gaps + stats.dropped, "alive": stats.alive}
    if as_json:
        return shown({**dict.fromkeys(meter.KEYS), **(values or {}), **counts}, True)
    lost = f"\n\tlost: {counts['lost']} of {stats.received + stats.gaps}" if counts["lost"] else ""
    return meter.text(values or {}) + lost


def _bytes(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.2f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"
