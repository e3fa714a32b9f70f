"""The goal that the executor runs ends with its task, and the next one waits for its end: on a bus in memory, with a clock set by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from seesay import topics
from seesay.clock import ManualClock
from seesay.errors import ServiceError
from seesay.memory_bus import MemoryBus
from seesay.messages import CancelRequest, Header, Instruction, SkillResult
from seesay.nodes.node import Node
from seesay.nodes.planner_tasks import HOLD_NS, PlannerTasks
from seesay.planner.language import ScriptedScorer
from seesay.planner.saycan import SayCan
from seesay.planner.skills import load_library
from seesay.planner.task import Task
from seesay.services import CANCEL
from tests.planner.things import S, scene, thing

STEP = "pick up the red block and place it in the green bowl"
TEXT = "put the red block in the green bowl"


class Around:
    """A planner's tasks, and what an executor and a person see of them."""

    def __init__(self, planner: MemoryBus, other: MemoryBus) -> None:
        self.clock = ManualClock(10 * S)
        self.goals, self.cancels = other.subscriber(topics.SKILL_GOAL), other.subscriber(topics.SKILL_CANCEL)
        self.ends = other.subscriber(topics.TASK_RESULT)
        self.cancel = other.client(CANCEL)
        saycan = SayCan(load_library(), ScriptedScorer({STEP: -0.1}))

        def begin(instruction: Instruction, now_ns: int) -> Task:
            return Task(instruction, saycan, now_ns, timeout_s=60.0)

        self.tasks = PlannerTasks(Node("planner", planner, self.clock), begin, threading.Lock())

    def order(self, number: str) -> None:
        self.tasks.order(Instruction(Header(self.clock.now_ns()), number, TEXT))

    def goal(self, after_s: float = 0.0) -> str:
        """The id of the goal that is sent when the planner looks so much later; empty for none."""
        now = self.clock.now_ns() + int(after_s * S)
        self.clock.set(now)
        at = now / S
        objects = scene(thing(1, "red block", -0.1, -0.05, seen_s=at), thing(3, "green bowl", 0.05, 0.08, size=0.12, seen_s=at), at_s=at)
        self.tasks.advance(objects, None)
        sent = self.goals.take(0)
        return sent.message.id if sent else ""

    def cancelled(self) -> list[tuple[str, str]]:
        return [(each.message.goal_id, each.message.reason) for each in self.cancels.take_all()]

    def end(self) -> tuple[str, str]:
        found = self.ends.take(10)
        assert found is not None
        return found.message.instruction_id, found.message.outcome

    def report(self, goal: str) -> None:
        self.tasks.report(SkillResult(Header(self.clock.now_ns()), goal, "cancelled", "as asked"))


@pytest.fixture
def around() -> Iterator[Around]:
    with MemoryBus("planner") as planner, planner.join("other") as other:
        yield Around(planner, other)


def test_a_new_instruction_waits_for_the_end_of_the_old_goal(around: Around) -> None:
    around.order("a")
    assert around.goal() == "a/1"
    around.order("b")
    assert around.end() == ("a", "cancelled")
    assert around.cancelled() == [("a/1", "a new instruction came")]
    assert around.goal(after_s=1) == ""
    around.report("a/1")
    assert around.goal(after_s=1) == "b/1"


def test_an_executor_that_does_not_answer_is_not_waited_for_long(around: Around) -> None:
    around.order("a")
    around.goal()
    around.order("b")
    assert around.goal(after_s=1) == ""
    assert around.goal(after_s=HOLD_NS / S) == "b/1"


def test_a_task_whose_time_is_over_cancels_its_goal(around: Around) -> None:
    around.order("a")
    around.goal()
    assert around.goal(after_s=61) == ""
    assert around.end() == ("a", "timeout")
    assert [goal for goal, _ in around.cancelled()] == ["a/1"]


def test_the_service_ends_the_task_that_it_names(around: Around) -> None:
    around.order("a")
    around.goal()
    with pytest.raises(ServiceError, match="no such task runs"):
        around.cancel.call(CancelRequest(Header(0), "b", "not that one"), 10.0)
    assert around.cancel.call(CancelRequest(Header(0), "a", "not that one"), 10.0).outcome == "cancelled"
    around.goal()
    assert around.end() == ("a", "cancelled")
    assert around.cancelled() == [("a/1", "not that one")]


def test_a_task_without_a_running_goal_tells_the_executor_nothing(around: Around) -> None:
    around.order("a")
    around.order("b")
    assert around.end() == ("a", "cancelled")
    assert around.cancelled() == []
    assert around.goal() == "b/1"
