"""How an instruction really ended, by the simulator's own state. For people and reports: no node of the loop listens."""

from __future__ import annotations

from seesay import topics
from seesay.errors import SkillError
from seesay.messages import TaskVerdict
from seesay.nodes.runtime import Node
from seesay.sim.goals import Judge, Verdict
from seesay.sim.tasks import parse_goal
from seesay.sim.world import World

SETTLE_S = 0.5   # simulated time after the planner's last word, in which things come to rest


class TaskJudge:
    """Follows the instructions on the bus and publishes a verdict when the planner has ended one. Call `look` often."""

    def __init__(self, node: Node, world: World) -> None:
        self._node, self._world = node, world
        self._instructions = node.subscribe(topics.INSTRUCTION)
        self._skills = node.subscribe(topics.SKILL_RESULT)
        self._ends = node.subscribe(topics.TASK_RESULT)
        self._judge: Judge | Verdict | None = None
        self._due_ns: int | None = None

    def look(self) -> None:
        """Take in what came, and publish the verdict when it is due."""
        for instruction in self._instructions.take_all():
            self._judge, self._due_ns = self._begin(instruction.message.text), None
        if self._skills.take_all() and isinstance(self._judge, Judge):
            self._judge.watch()
        if self._ends.take_all() and self._judge is not None:
            self._due_ns = self._world.time_ns + round(SETTLE_S * 1e9)
        if self._due_ns is not None and self._judge is not None and self._world.time_ns >= self._due_ns:
            verdict = self._judge.verdict() if isinstance(self._judge, Judge) else self._judge
            self._node.publish(topics.TASK_VERDICT, TaskVerdict(self._world.header(), verdict.success, verdict.message))
            self._judge = self._due_ns = None

    def _begin(self, instruction: str) -> Judge | Verdict:
        goal = parse_goal(instruction, [thing.name for thing in self._world.scene.objects])
        if goal is None:
            return Verdict(False, "the simulator cannot judge these words")
        try:
            return Judge(self._world, goal)
        except SkillError as error:
            return Verdict(False, str(error))
