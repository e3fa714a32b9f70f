"""Goals in, arm commands and results out; workspace, age, watchdog and emergency stop cut in whatever the planner does.

A real robot runs this node beside a driver that takes `arm/command` and publishes `arm/state`.
"""

from __future__ import annotations

from dataclasses import dataclass

from seesay import topics
from seesay.executor import SafeExecutor, Workspace
from seesay.messages import ArmCommand, ArmState, SkillResult
from seesay.nodes.runtime import Node
from seesay.nodes.stop_orders import StopOrders


@dataclass(frozen=True)
class Config:
    """workspace_min, workspace_max: where targets may lie, metres in the world. max_evidence_age_s: of the picture behind a target."""

    workspace_min: tuple[float, float, float] = Workspace().minimum
    workspace_max: tuple[float, float, float] = Workspace().maximum
    goal_timeout_s: float = 60.0
    max_evidence_age_s: float = 30.0


class BusArm:
    """An arm whose driver is another node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.states = node.bus.subscriber(topics.ARM_STATE)

    def command(self, command: ArmCommand) -> None:
        self._node.publish(topics.ARM_COMMAND, command)

    def state(self) -> ArmState | None:
        newest = self.states.latest()
        return newest.message if newest else None


def run(node: Node, config: Config) -> None:
    from seesay.sim.executor import ArmExecutor

    arm = BusArm(node)
    workspace = Workspace(config.workspace_min, config.workspace_max)
    executor = SafeExecutor(ArmExecutor(arm, node.clock), workspace, config.goal_timeout_s, config.max_evidence_age_s, node.clock)
    goals, cancels, stops = node.bus.subscriber(topics.SKILL_GOAL), node.bus.subscriber(topics.SKILL_CANCEL), StopOrders(node)
    node.ready()
    while not node.stop.is_set():
        node.wait([arm.states, goals, cancels, stops.subscriber], 0.1)
        for order in stops.news():
            if order.engaged:
                executor.stop(order.reason)
            else:
                executor.release()
        for goal in goals.take_all():
            executor.start(goal.message)
        for cancel in cancels.take_all():
            if cancel.message.goal_id == executor.running:
                executor.cancel(cancel.message.reason)
        arm.states.take(0)
        report = executor.poll()
        if isinstance(report, SkillResult):
            node.log.info("%s: %s", report.outcome, report.message)
            node.publish(topics.SKILL_RESULT, report)
        elif report is not None:
            node.publish(topics.SKILL_FEEDBACK, report)
