"""Motions of the tool that every skill is made of: go, descend until contact, glide, close."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seesay.messages import ArmCommand, ArmState, Outcome, SkillGoal

ARRIVED = 0.003
"""Distance in metres at which the tool is where it was sent."""
STALL_S, CRAWL = 0.35, 0.002
"""An arm that moves less than CRAWL metres in this time is held up. It must exceed the delay from a command to its effect."""


@dataclass(frozen=True, eq=False)
class Motion:
    """One command of a skill, with the sub-phase it belongs to and the skill's progress in [0, 1]."""

    command: ArmCommand
    phase: str
    progress: float


class SkillFailure(Exception):
    """A skill ends here with `outcome`; the text is a sentence fragment for a person."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome: Outcome = outcome


class Tool:
    """The commanded pose of the tool, and the newest `state`. Its motions are generators: a Motion out, an ArmState in."""

    def __init__(self, goal: SkillGoal, state: ArmState) -> None:
        self.goal = goal
        self.state = state
        self.position: NDArray[np.float64] = state.position.copy()
        self.yaw = state.yaw
        self.opening = 0.0 if state.grip_force > 0 else state.opening
        self._phase, self._progress = goal.skill, 0.0

    def enter(self, phase: str, progress: float) -> None:
        """Begin a sub-phase."""
        self._phase, self._progress = phase, progress

    def nearest(self, angle: float, period: float) -> float:
        """The angle equal to `angle` modulo `period` that is nearest to the present yaw, kept within one turn either way."""
        turned = angle + period * round((self.yaw - angle) / period)
        while abs(turned) > math.pi + period / 2:
            turned -= math.copysign(period, turned)
        return turned

    def go(
        self, *, xy: ArrayLike | None = None, z: float | None = None, yaw: float | None = None, opening: float | None = None
    ) -> Generator[Motion, ArmState, None]:
        """Go to a pose (what is None stays) and wait until the arm is there. SkillFailure when it is not after 6 s."""
        if xy is not None:
            self.position[:2] = xy
        if z is not None:
            self.position[2] = z
        self.yaw = self.yaw if yaw is None else yaw
        self.opening = self.opening if opening is None else opening
        started = self._seconds()
        while True:
            yield from self._send()
            there = float(np.abs(self.state.position - self.position).max()) < ARRIVED and self.state.speed < 0.03
            turned = abs(self.state.yaw - self.yaw) < 0.03
            opened = opening is None or self.state.opening > self.opening - 0.002
            if there and turned and opened:
                return
            if self._seconds() - started > 6.0:
                raise SkillFailure("failed", f"the arm could not finish the phase {self._phase!r}: something is in its way")

    def descend(self, z: float, *, speed: float, lead: float) -> Generator[Motion, ArmState, bool]:
        """Go to height `z` at `speed` m/s at most, the command at most `lead` metres ahead of the arm. True if something stopped it.

        The lead bounds the force of a contact. Late states or commands slow the arm down; they are not taken for a contact, because that is
        an arm that makes less than `CRAWL` metres of way in `STALL_S` seconds (what it holds may slip slowly through the fingers).
        """
        moved_at, farthest, before = self._seconds(), float(self.state.position[2]), self._seconds()
        while True:
            now, height = self._seconds(), float(self.state.position[2])
            way = min(max(z - self.position[2], -speed * (now - before)), speed * (now - before))
            self.position[2] = min(max(self.position[2] + way, height - lead), height + lead)
            before = now
            yield from self._send()
            height = float(self.state.position[2])
            if abs(height - z) < ARRIVED / 2:
                return False
            if abs(height - farthest) > CRAWL:
                moved_at, farthest = self._seconds(), height
            if self._seconds() - moved_at > STALL_S:
                touched = abs(height - z) > ARRIVED
                if touched:
                    self.position[2] = height
                return touched

    def glide(self, xy: ArrayLike, *, speed: float) -> Generator[Motion, ArmState, None]:
        """Go to `xy` on a straight line at `speed` m/s."""
        begun, start = self._seconds(), self.position[:2].copy()
        way = np.asarray(xy, np.float64) - start
        length = max(float(np.hypot(*way)), 1e-6)
        share = 0.0
        while share < 1.0:
            share = min(1.0, speed * (self._seconds() - begun) / length)
            self.position[:2] = start + way * share
            yield from self._send()
        yield from self.go()

    def grip(self, opening: float) -> Generator[Motion, ArmState, None]:
        """Move the fingers towards `opening` metres until they no longer move, there or against something."""
        self.opening = opening
        begun, still_since, last = self._seconds(), self._seconds(), self.state.opening
        while self._seconds() - begun < 2.0:
            yield from self._send()
            if abs(self.state.opening - last) > 0.0002:
                still_since, last = self._seconds(), self.state.opening
            if self._seconds() - begun > 1.5 * STALL_S and self._seconds() - still_since > STALL_S / 2:
                return

    def rest(self, seconds: float = 0.1) -> Generator[Motion, ArmState, None]:
        """Hold still."""
        begun = self._seconds()
        while self._seconds() - begun < seconds:
            yield from self._send()

    def _send(self) -> Generator[Motion, ArmState, None]:
        command = ArmCommand(self.state.header, self.position.copy(), self.yaw, self.opening)
        self.state = yield Motion(command, self._phase, self._progress)

    def _seconds(self) -> float:
        return self.state.header.stamp_ns * 1e-9
