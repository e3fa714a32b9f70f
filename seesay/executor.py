"""What a robot's driver implements, and the safety that cuts in whatever the planner does.

A robot joins by an `Arm` (commands in, sensors out) or by a whole `Executor` (goals in, results out). `SafeExecutor` wraps any Executor:
it refuses targets outside the workspace and evidence that is too old, ends goals that take too long, and holds an emergency stop
until it is released.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seesay.clock import Clock
from seesay.errors import ConfigError, StaleError
from seesay.messages import ArmCommand, ArmState, Header, Outcome, SkillFeedback, SkillGoal, SkillResult, check_array

Report = SkillFeedback | SkillResult


class Arm(Protocol):
    """A driver of an arm. It stops the arm when commands stop coming."""

    def command(self, command: ArmCommand) -> None:
        """Move towards the command from now on; returns at once."""
        ...

    def state(self) -> ArmState | None:
        """Return the newest reading of the arm's own sensors, None before the first."""
        ...


class Executor(Protocol):
    """Runs one skill at a time. No call blocks; `poll` is called some ten times a second while a goal runs."""

    def start(self, goal: SkillGoal) -> None:
        """Begin a goal. The one before has ended or been cancelled."""
        ...

    def poll(self) -> Report | None:
        """Go on with the goal; return its progress, or its result once, or None when there is nothing to say."""
        ...

    def cancel(self, reason: str) -> None:
        """End the goal in good order; its result, `cancelled`, comes from `poll`."""
        ...

    def stop(self, reason: str) -> None:
        """Stop all motion now; the goal's result, `stopped`, comes from `poll`."""
        ...


@dataclass(frozen=True)
class Workspace:
    """The box that the tool may be sent to, in metres in the world frame: `minimum` and `maximum` as (x, y, z)."""

    minimum: tuple[float, float, float] = (-0.21, -0.16, 0.0)
    maximum: tuple[float, float, float] = (0.21, 0.16, 0.35)

    def __post_init__(self) -> None:
        if not all(np.isfinite(low) and np.isfinite(high) and low < high for low, high in zip(self.minimum, self.maximum, strict=True)):
            raise ConfigError(f"workspace: expected a minimum below the maximum on each axis, got {self.minimum} and {self.maximum}")

    def check(self, position: NDArray[np.float64]) -> str:
        """Return why `(3,) float64` lies outside, for example "x 0.300 m is above 0.210 m"; an empty text if it lies inside."""
        check_array("position", position, "float64", (3,))
        for axis, value, low, high in zip("xyz", position, self.minimum, self.maximum, strict=True):
            if not value >= low:
                return f"{axis} {value:.3f} m is below {low:.3f} m"
            if value > high:
                return f"{axis} {value:.3f} m is above {high:.3f} m"
        return ""


AHEAD_NS = 1_000_000_000
"""By how much a stamp may be ahead of a clock that comes to this process in ticks."""


class SafeExecutor:
    """An Executor around another one; also to be told of the emergency stop. Stamps of goals must be of `clock`.

    goal_timeout_s: a goal that runs longer is stopped. max_evidence_age_s: a target with an object id whose picture is older is refused,
    and so is one from the future: the clock went back, or the stamp is of another clock.
    grace_s: how long the inner executor has to answer a cancel or a stop before its result is given in its place.
    """

    def __init__(
        self, executor: Executor, workspace: Workspace, goal_timeout_s: float, max_evidence_age_s: float, clock: Clock, grace_s: float = 1.0
    ) -> None:
        self._inner = executor
        self._workspace = workspace
        self._timeout_ns = int(goal_timeout_s * 1e9)
        self._max_age_ns = int(max_evidence_age_s * 1e9)
        self._grace_ns = int(grace_s * 1e9)
        self._clock = clock
        self._goal: SkillGoal | None = None
        self._started_ns = 0
        self._ending: tuple[int, Outcome, str] | None = None
        self._refusals: list[SkillResult] = []
        self.stop_reason = ""

    @property
    def stopped(self) -> bool:
        """Whether the emergency stop is engaged."""
        return bool(self.stop_reason)

    @property
    def running(self) -> str:
        """Id of the goal that runs, empty if none does."""
        return "" if self._goal is None else self._goal.id

    def start(self, goal: SkillGoal) -> None:
        """Begin a goal, or refuse it: `poll` then returns its result (stopped, unreachable, stale, or failed while another goal runs)."""
        refusal = self._refuse(goal)
        if refusal is not None:
            self._refusals.append(self._result(goal, *refusal))
            return
        self._goal, self._started_ns, self._ending = goal, self._clock.now_ns(), None
        self._inner.start(goal)

    def poll(self) -> Report | None:
        if self._refusals:
            return self._refusals.pop(0)
        report = self._inner.poll()
        goal, now = self._goal, self._clock.now_ns()
        self._started_ns = min(self._started_ns, now)   # a simulated clock may have jumped back: time runs from there
        if self._ending is not None:
            self._ending = (min(self._ending[0], now), *self._ending[1:])
        if goal is None or (report is not None and report.goal_id != goal.id):
            return None
        if isinstance(report, SkillResult):
            ending = self._ending
            self._goal = self._ending = None
            return report if ending is None else self._result(goal, ending[1], ending[2])
        if self._ending is None and now - self._started_ns > self._timeout_ns:
            self._end("timeout", f"{goal.phrase}: not done after {self._timeout_ns / 1e9:g} s")
        if self._ending is not None and now - self._ending[0] > self._grace_ns:
            _, outcome, message = self._ending
            self._inner.stop(message)
            self._goal = self._ending = None
            return self._result(goal, outcome, message)
        return report

    def cancel(self, reason: str) -> None:
        """End the goal that runs, if any; its result comes from `poll` within the grace period."""
        if self._goal is not None and self._ending is None:
            self._ending = (self._clock.now_ns(), "cancelled", reason)
            self._inner.cancel(reason)

    def stop(self, reason: str) -> None:
        """Engage the emergency stop: all motion stops, and every goal is refused until `release`."""
        self.stop_reason = reason or "emergency stop"
        self._inner.stop(self.stop_reason)
        if self._goal is not None:
            self._ending = (self._clock.now_ns(), "stopped", self.stop_reason)

    def release(self) -> None:
        """Release the emergency stop. A goal that was stopped stays ended."""
        self.stop_reason = ""

    def _end(self, outcome: Outcome, message: str) -> None:
        self._ending = (self._clock.now_ns(), outcome, message)
        self._inner.stop(message)

    def _refuse(self, goal: SkillGoal) -> tuple[Outcome, str] | None:
        if self.stopped:
            return "stopped", f"{goal.phrase}: refused, the emergency stop is engaged ({self.stop_reason})"
        if self._goal is not None:
            return "failed", f"{goal.phrase}: refused, {self._goal.phrase!r} still runs"
        now = self._clock.now_ns()
        for name, target in goal.targets.items():
            outside = self._workspace.check(target.position)
            if outside:
                return "unreachable", f"{goal.phrase}: the {target.label} ({name}) is outside the workspace, {outside}"
            age_ns = now - target.stamp_ns
            if target.object_id and age_ns < -AHEAD_NS:
                ahead = f"stamped {-age_ns / 1e9:.1f} s ahead of the clock, which went back"
                return "stale", f"{goal.phrase}: the {target.label} is {ahead}; look again"
            if target.object_id and age_ns > self._max_age_ns:
                limit_s = self._max_age_ns / 1e9
                return "stale", f"{goal.phrase}: the {target.label} was last seen {age_ns / 1e9:.1f} s ago, the limit is {limit_s:g} s"
        return None

    def _result(self, goal: SkillGoal, outcome: Outcome, message: str) -> SkillResult:
        header = Header(self._clock.now_ns(), frame_id=goal.header.frame_id, clock=self._clock.name, source=goal.header.source)
        return SkillResult(header, goal.id, outcome, message)


def require_fresh(stamp_ns: int, now_ns: int, max_age_s: float, what: str) -> None:
    """Raise StaleError if `stamp_ns` is more than `max_age_s` before `now_ns`; `what` names the evidence."""
    age_s = (now_ns - stamp_ns) / 1e9
    if age_s > max_age_s:
        raise StaleError(f"{what}: expected evidence at most {max_age_s:g} s old, got {age_s:.1f} s; look again")
