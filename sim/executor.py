"""Runs skills on an arm: the simulator's, or a real one behind the same protocol. Imports no simulator."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator

from seesay.clock import Clock
from seesay.executor import Arm, Report
from seesay.messages import ArmCommand, ArmState, Header, Outcome, SkillFeedback, SkillGoal, SkillResult
from seesay.sim.motion import Motion
from seesay.sim.skills import run_skill

STATE_TIMEOUT_S = 2.0
"""A goal fails when the arm's sensors have been silent for this long."""


class ArmExecutor:
    """`seesay.executor.Executor` by the skills of `seesay.sim.skills`. Not for several threads.

    Each `poll` with a new ArmState sends one ArmCommand; call it at least ten times a second. It never sees a simulator's truth.
    """

    def __init__(self, arm: Arm, clock: Clock) -> None:
        self._arm = arm
        self._clock = clock
        self._goal: SkillGoal | None = None
        self._skill: Generator[Motion, ArmState, SkillResult] | None = None
        self._phase = ""
        self._seen_ns = -1
        self._heard_ns = 0
        self._reports: deque[Report] = deque()

    def start(self, goal: SkillGoal) -> None:
        """Begin a goal; one that still runs is cancelled."""
        if self._goal is not None:
            self._end("cancelled", f"another goal has come: {goal.phrase}")
        self._goal, self._skill, self._phase, self._heard_ns = goal, None, "", self._clock.now_ns()

    def poll(self) -> Report | None:
        """Go on with the goal: a SkillFeedback when a sub-phase begins, the SkillResult once, None otherwise."""
        if self._goal is not None:
            self._advance(self._goal)
        return self._reports.popleft() if self._reports else None

    def cancel(self, reason: str) -> None:
        """End the goal: the arm holds where it is and keeps what it holds."""
        self._end("cancelled", reason)

    def stop(self, reason: str) -> None:
        """Stop all motion now; also when no goal runs."""
        self._hold()
        self._end("stopped", reason)

    def _advance(self, goal: SkillGoal) -> None:
        state = self._arm.state()
        now = self._clock.now_ns()
        self._heard_ns = min(self._heard_ns, now)   # a simulated clock may have jumped back
        if state is None or state.header.stamp_ns == self._seen_ns:
            if now - self._heard_ns > STATE_TIMEOUT_S * 1e9:
                self._end("failed", f"the arm's sensors have been silent for {STATE_TIMEOUT_S:g} s")
            return
        self._seen_ns, self._heard_ns = state.header.stamp_ns, now
        try:
            if self._skill is None:
                self._skill = run_skill(goal, state)
                motion = next(self._skill)
            else:
                motion = self._skill.send(state)
        except StopIteration as end:
            self._goal = self._skill = None
            self._reports.append(end.value)
            return
        self._arm.command(motion.command)
        if motion.phase != self._phase:
            self._phase = motion.phase
            self._reports.append(SkillFeedback(state.header, goal.id, motion.phase, motion.progress))

    def _end(self, outcome: Outcome, reason: str) -> None:
        if self._goal is None:
            return
        self._hold()
        header = Header(self._clock.now_ns(), frame_id=self._goal.header.frame_id, clock=self._clock.name, source=self._goal.header.source)
        self._reports.append(SkillResult(header, self._goal.id, outcome, reason))
        self._goal = self._skill = None

    def _hold(self) -> None:
        state = self._arm.state()
        if state is not None:
            opening = 0.0 if state.grip_force > 0 else state.opening
            self._arm.command(ArmCommand(state.header, state.position, state.yaw, opening))
