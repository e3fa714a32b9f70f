"""The task that the planner pursues, one at a time, and the goal that the executor runs for it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from seesay import messages as m
from seesay import topics
from seesay.errors import SkillError
from seesay.nodes.node import Node
from seesay.planner.task import Act, End, Task
from seesay.services import CANCEL

HOLD_NS = 5_000_000_000
"""How long a new task waits for the end of the goal that was cancelled for it; an executor that lives tells it sooner."""


class PlannerTasks:
    """Serves `cancel` until the node's bus is closed. begin: makes the task of an instruction, whose time begins then, in nanoseconds.

    model: the lock under which tasks are used. task: the one at hand, None where there is none.
    """

    def __init__(self, node: Node, begin: Callable[[m.Instruction, int], Task], model: threading.Lock) -> None:
        self.task: Task | None = None
        self._node, self._begin, self._model = node, begin, model
        self._running = ""
        self._held_since_ns = 0
        node.bus.service(CANCEL, self._cancel)

    def order(self, instruction: m.Instruction) -> None:
        """Begin its task; the one before is cancelled, and what the executor runs for it."""
        now = self._node.clock.now_ns()
        with self._model:
            end = self.task.cancel("a new instruction came", now) if self.task else None
            new = self._begin(instruction, now)
        if end is not None:
            self._over(end)
        self.task = new

    def report(self, result: m.SkillResult) -> None:
        """Take in how a goal has ended."""
        if result.goal_id == self._running:
            self._running = ""
        with self._model:
            if self.task is not None:
                self.task.report(result, self._node.clock.now_ns())

    def advance(self, objects: m.Objects | None, gripper: m.ArmState | None) -> None:
        """Do what is to be done now; see `Task.advance`."""
        if self.task is None or self._holds(self.task):
            return
        with self._model:
            move = self.task.advance(objects, self._node.clock.now_ns(), gripper)
        if isinstance(move, End):
            self._over(move)
        elif isinstance(move, Act):
            self._node.log.info("step %d in %.0f ms: %s", move.step.step, move.step.decision_ms, move.goal.phrase)
            self._running = move.goal.id
            self._node.publish(topics.PLAN_STEP, move.step)
            self._node.publish(topics.SKILL_GOAL, move.goal)

    def _holds(self, task: Task) -> bool:
        """Whether the goal of a task that is over still runs."""
        if task.ended is None and task.goal is None and self._running:
            if 0 <= self._node.clock.now_ns() - self._held_since_ns < HOLD_NS:
                return True
            self._node.log.warning("the executor has not answered to the cancel of goal %s", self._running)
            self._running = ""
        return False

    def _over(self, end: End) -> None:
        """The task has ended: tell everybody, the executor too if it runs one of its goals."""
        self.task = None
        self._node.log.info("%s: %s", end.result.outcome, end.result.message)
        if self._running:
            self._held_since_ns = self._node.clock.now_ns()
            self._node.publish(topics.SKILL_CANCEL, m.SkillCancel(self._node.header(), self._running, end.result.message))
        if end.step is not None:
            self._node.publish(topics.PLAN_STEP, end.step)
        self._node.publish(topics.TASK_RESULT, end.result)

    def _cancel(self, request: m.CancelRequest) -> m.TaskResult:
        """End the task now; `advance` tells everybody."""
        with self._model:
            task = self.task
            if task is None or request.instruction_id not in ("", task.instruction.id):
                raise SkillError("no such task runs: nothing was cancelled")
            return task.cancel(request.reason, self._node.clock.now_ns()).result
