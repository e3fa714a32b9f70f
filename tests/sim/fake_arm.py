"""An arm without physics: it reaches every command within one period, and its fingers close on what lies at `things`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seesay.messages import ArmCommand, ArmState, Header, SkillGoal, Target

PERIOD_NS = 20_000_000


class FakeArm:
    """`width` metres of what the gripper closes on, 0 for nothing; `slips_above`: the height in metres from which it is lost."""

    def __init__(self, width: float = 0.0, slips_above: float = np.inf) -> None:
        self.width, self.slips_above = width, slips_above
        self.position: NDArray[np.float64] = np.array([0.0, 0.42, 0.45])
        self.yaw, self.opening, self.now_ns = 0.0, 0.095, 0
        self.commands: list[ArmCommand] = []
        self.silent = self.stuck = False

    def command(self, command: ArmCommand) -> None:
        self.commands.append(command)
        if self.stuck:
            return
        self.position, self.yaw, self.opening = command.position.copy(), command.yaw, max(command.opening, self.width)
        if self.position[2] > self.slips_above and self.opening <= self.width:
            self.width = 0.0

    def state(self) -> ArmState:
        if not self.silent:
            self.now_ns += PERIOD_NS
        force = 15.0 if self.width and self.opening <= self.width + 1e-6 else 0.0
        return ArmState(Header(self.now_ns, frame_id="world", clock="sim"), self.position.copy(), self.yaw, self.opening, force, 0.0)


def target(label: str, x: float, y: float, size: float = 0.046, number: int = 1, yaw: float = 0.0) -> Target:
    """A cube-shaped target that stands on the table."""
    return Target(label, number, np.array([x, y, size / 2]), np.full(3, size), 0, yaw)


def goal(skill: str = "pick_and_place", **targets: Target) -> SkillGoal:
    return SkillGoal(Header(0, frame_id="world", clock="sim"), "g1", skill, f"{skill} it", targets)
