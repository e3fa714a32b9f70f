"""Which cameras' pictures one engine takes next: batches formed within a bounded window, in fair shares. No clock and no queue of its own.

Shares follow start-time fair queueing (Goyal, Vin and Cheng, 1996): where the engine cannot serve all, a camera of priority 2 gets two
pictures for each one of priority 1, and a camera that was silent has saved up no claim.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from seesay.errors import ConfigError

LIVELY_S = 1.0
"""A camera that has sent nothing for so long is not waited for."""


@dataclass(frozen=True)
class Share:
    """What a camera may have: `max_rate_hz` pictures a second (0: as many as come), and its `priority` beside the others."""

    max_rate_hz: float = 0.0
    priority: float = 1.0


@dataclass(frozen=True)
class Turn:
    """The cameras whose newest pictures make the next batch. None: ask again in `wait_s` seconds (None: once something new has come)."""

    cameras: tuple[str, ...] = ()
    wait_s: float | None = None


class Schedule:
    """Takes turns of at most `most` cameras, `most` being free to change; a batch waits `window_s` seconds for further cameras at most.

    All times are seconds of one clock that never goes back.
    """

    def __init__(self, shares: Mapping[str, Share], most: int = 1, window_s: float = 0.005) -> None:
        self.most = most
        self._shares = dict(shares)
        self._window_s = window_s
        self._opened: float | None = None
        self._seen = dict.fromkeys(shares, -LIVELY_S)
        self._allowed = dict.fromkeys(shares, float("-inf"))
        self._claims = dict.fromkeys(shares, 0.0)
        self._virtual = 0.0

    def turn(self, waiting: Collection[str], now: float) -> Turn:
        """Decide for the cameras that have a picture nobody has taken."""
        self._seen.update(dict.fromkeys(waiting, now))
        ready = [camera for camera in waiting if self._allowed[camera] <= now]
        if not ready:
            self._opened = None
            return Turn(wait_s=min((self._allowed[camera] - now for camera in waiting), default=None))
        self._opened = now if self._opened is None else self._opened
        end = self._opened + self._window_s
        if len(ready) < self.most and now < end and self._others_may_come(ready, now, end):
            return Turn(wait_s=end - now)
        chosen = sorted(ready, key=self._claim)[: self.most]
        starts = {camera: self._claim(camera) for camera in chosen}
        self._virtual = starts[chosen[0]]
        for camera, start in starts.items():
            self._serve(camera, start, now)
        self._opened = None
        return Turn(tuple(chosen))

    def _others_may_come(self, ready: Collection[str], now: float, end: float) -> bool:
        return any(
            camera not in ready and self._allowed[camera] <= end and now - self._seen[camera] < LIVELY_S for camera in self._shares
        )

    def _claim(self, camera: str) -> float:
        return max(self._claims[camera], self._virtual)

    def _serve(self, camera: str, start: float, now: float) -> None:
        share = self._shares[camera]
        self._claims[camera] = start + 1 / share.priority
        if share.max_rate_hz:
            period, due = 1 / share.max_rate_hz, self._allowed[camera]
            self._allowed[camera] = (due if now - due < period else now) + period   # a little late: the next is early


def shares(cameras: Sequence[str], max_rate_hz: Mapping[str, float], priority: Mapping[str, float]) -> dict[str, Share]:
    """The share of each camera. Raises ConfigError for a name of no camera, a negative rate and a priority that is not positive."""
    for what, table, least in (("max_rate_hz", max_rate_hz, 0.0), ("priority", priority, 1e-3)):
        for name, value in table.items():
            if name not in cameras:
                raise ConfigError(f"{what}: expected names of cameras ({', '.join(cameras)}), got {name!r}; add it to cameras")
            if not least <= value < float("inf"):
                raise ConfigError(f"{what}: expected a number of {least:g} or more for {name}, got {value}")
    return {name: Share(max_rate_hz.get(name, 0.0), priority.get(name, 1.0)) for name in cameras}
