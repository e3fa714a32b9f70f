"""How far another host's monotonic clock is from ours, and messages whose stamps are moved by that much."""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import Any, NamedTuple, TypeVar

M = TypeVar("M")

STAMPS = ("stamp_ns", "last_seen_ns", "until_ns")
DRIFT = 1e-4  # of two quartz clocks, generously
MIN_STEP_NS = 1_000_000


class _Sample(NamedTuple):
    offset_ns: int
    round_trip_ns: int
    taken_ns: int


class OffsetEstimate:
    """Estimates `offset_ns`, the other clock minus ours, from exchanges of four stamps (NTP, RFC 5905 section 8).

    Of the last 32 exchanges that with the shortest round trip counts. `offset_ns` is held until the estimate has left it by 1 ms or a
    quarter of that round trip, so that pictures and what is found in them keep equal stamps.
    """

    def __init__(self) -> None:
        self.offset_ns = 0
        self.samples = 0
        self._window: deque[_Sample] = deque(maxlen=32)

    def add(self, sent_ns: int, arrived_ns: int, left_ns: int, returned_ns: int) -> None:
        """Add an exchange: sent and returned by our clock, arrived and left by the other's. An impossible one is left out.

        One that no drift explains together with those before it shows that a clock jumped: these are forgotten.
        """
        round_trip = (returned_ns - sent_ns) - (left_ns - arrived_ns)
        if round_trip < 0 or left_ns < arrived_ns:
            return
        sample = _Sample(((arrived_ns - sent_ns) + (left_ns - returned_ns)) // 2, round_trip, returned_ns)
        best = self._best() if self._window else sample
        apart = abs(sample.offset_ns - best.offset_ns)
        if apart > (sample.round_trip_ns + best.round_trip_ns) / 2 + DRIFT * (sample.taken_ns - best.taken_ns):
            self._window.clear()
        self._window.append(sample)
        self.samples += 1
        best = self._best()
        if self.samples == 1 or abs(best.offset_ns - self.offset_ns) > max(MIN_STEP_NS, best.round_trip_ns // 4):
            self.offset_ns = best.offset_ns

    @property
    def round_trip_ns(self) -> int:
        """The shortest round trip of the window, 0 before the first."""
        return self._best().round_trip_ns if self._window else 0

    @property
    def error_ns(self) -> int:
        """How wrong `offset_ns` can be at most: half the shortest round trip, and how far the estimate has left what is held."""
        if not self._window:
            return 0
        best = self._best()
        return best.round_trip_ns // 2 + abs(best.offset_ns - self.offset_ns)

    def _best(self) -> _Sample:
        return min(self._window, key=lambda sample: sample.round_trip_ns)


def shift_stamps(message: M, by_ns: int) -> M:
    """Return a message with all its stamps moved, in nested parts too, and its header's `clock_offset_ns` with them.

    Only stamps of CLOCK_MONOTONIC are moved: simulated and Unix time mean the same on all hosts.
    """
    header = getattr(message, "header", None)
    if by_ns == 0 or header is None or header.clock != "monotonic":
        return message
    shifted: M = _shift(message, by_ns)
    return shifted


def _shift(value: Any, by_ns: int) -> Any:
    if isinstance(value, tuple):
        return tuple(_shift(item, by_ns) for item in value)
    if isinstance(value, dict):
        return {key: _shift(item, by_ns) for key, item in value.items()}
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    changes = {}
    for field in dataclasses.fields(value):
        old = getattr(value, field.name)
        never = field.name == "until_ns" and old == 0   # messages.Question
        new = old + by_ns if field.name in (*STAMPS, "clock_offset_ns") and not never else _shift(old, by_ns)
        if new is not old:
            changes[field.name] = new
    return dataclasses.replace(value, **changes) if changes else value
