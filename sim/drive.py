"""The arm of a simulated world in the same process: for tests, benchmarks and notebooks on simulated time."""

from __future__ import annotations

from collections.abc import Callable

from seesay import messages
from seesay.executor import Executor, Report
from seesay.messages import ArmCommand, ArmState, SkillGoal, SkillResult
from seesay.sim.executor import ArmExecutor
from seesay.sim.world import World

PERIOD_S = 0.02
"""Simulated time between two commands."""


class SimArm:
    """`seesay.executor.Arm` of a World."""

    def __init__(self, world: World) -> None:
        self._world = world

    def command(self, command: ArmCommand) -> None:
        self._world.command(command)

    def state(self) -> ArmState:
        return self._world.arm_state()


class WorldClock:
    """`seesay.clock.Clock` of a World."""

    name: messages.Clock = "sim"

    def __init__(self, world: World) -> None:
        self._world = world

    def now_ns(self) -> int:
        return self._world.time_ns


def run_goal(
    world: World, goal: SkillGoal, executor: Executor | None = None, *, limit_s: float = 60.0, watch: Callable[[Report], None] | None = None
) -> SkillResult:
    """Run one goal to its end and return its result; after `limit_s` simulated seconds the executor is stopped.

    executor: one around this world's SimArm, for example a SafeExecutor; by default a plain ArmExecutor. watch: gets every report.
    """
    runner = executor or ArmExecutor(SimArm(world), WorldClock(world))
    runner.start(goal)
    end_ns = world.time_ns + round(limit_s * 1e9)
    stopped = False
    while True:
        report = runner.poll()
        if report is not None and watch is not None:
            watch(report)
        if isinstance(report, SkillResult) and report.goal_id == goal.id:
            return report
        world.step(PERIOD_S)
        if world.time_ns > end_ns and not stopped:
            stopped = True
            runner.stop(f"not done after {limit_s:g} s")
