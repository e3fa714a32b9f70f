"""The whole loop with a made-up table and arm: what is looked at when, what the language model is told, and that it ends in time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from seesay.messages import ArmState, Object, Objects, Outcome, SkillGoal, SkillResult
from seesay.planner.affordance import Affordance, AffordanceModel
from seesay.planner.language import ScriptedScorer
from seesay.planner.prompt import StepRecord
from seesay.planner.saycan import SayCan
from seesay.planner.skills import Library, Option, load_library
from seesay.planner.task import Act, End, Task
from tests.planner.test_agenda import follows
from tests.planner.things import S, order, scene, thing

LIBRARY = load_library()


@dataclass
class Robot:
    """A table whose things stand where the last successful skill put them; counts its looks."""

    places: dict[str, tuple[float, float, float]]
    fails: Callable[[int], Outcome] = lambda step: "succeeded"
    lies: bool = False
    now_s: int = 10
    looks: int = 0
    steps: list[str] = field(default_factory=list)

    def look(self) -> Objects:
        self.looks += 1
        things: list[Object] = []
        for number, (name, place) in enumerate(self.places.items(), start=1):
            things.append(thing(number, name, *place, size=0.12 if "bowl" in name else 0.045, seen_s=self.now_s))
        return scene(*things, at_s=self.now_s)

    def run(self, goal: SkillGoal) -> SkillResult:
        outcome = self.fails(len(self.steps))
        self.steps.append(goal.phrase)
        self.now_s += 5
        if outcome == "succeeded" and not self.lies:
            x, y, z = goal.targets["place"].position
            on = 0.045 if goal.targets["place"].label.endswith("block") else 0.02 if goal.targets["place"].object_id == 0 else 0.01
            self.places[goal.targets["object"].label] = (float(x), float(y), float(z + on))
        return SkillResult(goal.header, goal.id, outcome, "so it went")


class Counting(AffordanceModel):
    """Notes the stamp of the objects of every estimate."""

    stamps: list[int] = []  # noqa: RUF012

    def estimate(
        self, option: Option, library: Library, objects: Objects, now_ns: int, gripper: ArmState | None, history: object
    ) -> Affordance:
        Counting.stamps.append(objects.header.stamp_ns)
        return super().estimate(option, library, objects, now_ns, gripper, history)  # type: ignore[arg-type]


def table() -> dict[str, tuple[float, float, float]]:
    return {"red block": (-0.1, -0.05, 0.02), "blue block": (0.1, -0.05, 0.02), "green bowl": (0.05, 0.08, 0.02)}


def drive(text: str, robot: Robot, max_steps: int = 8) -> tuple[End, ScriptedScorer]:
    scorer = ScriptedScorer(follows)
    task = Task(order(text), SayCan(LIBRARY, scorer, affordances=Counting()), robot.now_s * S, max_steps=max_steps)
    for _ in range(60):
        move = task.advance(robot.look(), robot.now_s * S)
        if isinstance(move, End):
            return move, scorer
        if isinstance(move, Act):
            task.report(robot.run(move.goal), robot.now_s * S)
        robot.now_s += 1
    pytest.fail("the task did not end")


def test_every_decision_uses_pictures_taken_after_the_step_before() -> None:
    Counting.stamps = []
    robot = Robot(table())
    end, _ = drive("put all the blocks in the green bowl", robot)
    assert (end.result.outcome, end.result.steps, robot.looks) == ("done", 2, 3)
    assert sorted(set(Counting.stamps)) == [10 * S, 16 * S, 22 * S]
    assert len(Counting.stamps) == 3 * 53


def test_a_failed_skill_is_not_appended_as_done_and_is_tried_again() -> None:
    robot = Robot(table(), fails=lambda step: "grasp_failed" if step == 0 else "succeeded")
    end, scorer = drive("put the red block in the green bowl", robot)
    assert (end.result.outcome, end.result.steps) == ("done", 2)
    phrase = "pick up the red block and place it in the green bowl"
    assert [context.rpartition("Robot: ")[2] for context, _ in scorer.calls] == [
        "1. ", f"1. {phrase} (failed)\n2. ", f"1. {phrase} (failed)\n2. {phrase}\n3. ",
    ]  # fmt: skip


def test_the_dialogue_has_the_format_of_the_examples() -> None:
    robot = Robot(table(), fails=lambda step: "dropped" if step == 0 else "succeeded")
    _, scorer = drive("put the red block in the green bowl", robot)
    line = r"(?:\d+\. (?:pick up the [a-z ]+ and place it (?:in|on) the [a-z ]+(?: \(failed\))?|done)\n)"
    form = re.compile(rf"Robot: [^\n]+\n(?:Human: [^\n.]+\.\nRobot: {line}+)*Human: [^\n.]+\.\nRobot: {line}*\d+\. ")
    for context, _ in scorer.calls:
        assert form.fullmatch(context)


def test_an_arm_that_only_claims_success_is_not_believed() -> None:
    robot = Robot(table(), lies=True)
    end, _ = drive("put the red block in the green bowl", robot)
    assert end.result.outcome == "failed"
    assert len(robot.steps) == 3


def test_most_steps_hold_whatever_fails() -> None:
    robot = Robot(table(), fails=lambda step: "dropped" if step % 2 == 0 else "succeeded", lies=True)
    end, _ = drive("put all the blocks in different corners", robot, max_steps=2)
    assert end.result.outcome == "failed"
    assert len(robot.steps) == 2


def test_an_object_moved_in_mid_plan_is_put_back() -> None:
    robot = Robot(table())
    run = robot.run

    def run_and_meddle(goal: SkillGoal) -> SkillResult:
        result = run(goal)
        if len(robot.steps) == 2:
            robot.places[robot.steps[0].split(" the ")[1].removesuffix(" and place it in")] = (-0.05, -0.1, 0.02)
        return result

    robot.run = run_and_meddle  # type: ignore[method-assign]
    end, _ = drive("put all the blocks in the green bowl", robot)
    assert (end.result.outcome, robot.steps[2]) == ("done", robot.steps[0])


@pytest.mark.parametrize("when", ["before the first picture", "while a skill runs", "between two steps", "after the end"])
def test_cancel_at_any_moment(when: str) -> None:
    task = Task(order("put the red block in the green bowl"), SayCan(LIBRARY, ScriptedScorer(follows)), 10 * S)
    robot = Robot(table())
    move = None
    if when != "before the first picture":
        move = task.advance(robot.look(), 10 * S)
        assert isinstance(move, Act)
    if when in ("between two steps", "after the end") and isinstance(move, Act):
        task.report(robot.run(move.goal), robot.now_s * S)
    if when == "after the end":
        robot.now_s += 1
        assert isinstance(task.advance(robot.look(), robot.now_s * S), End)
    end = task.cancel("a person asked for it", 20 * S)
    assert end.result.outcome == ("done" if when == "after the end" else "cancelled")
    assert task.goal is None
    assert isinstance(task.advance(robot.look(), 21 * S), End)


def test_a_late_report_of_a_cancelled_step_changes_nothing() -> None:
    task = Task(order("put the red block in the green bowl"), SayCan(LIBRARY, ScriptedScorer(follows)), 10 * S)
    move = task.advance(Robot(table()).look(), 10 * S)
    assert isinstance(move, Act)
    task.cancel("a person asked for it", 11 * S)
    task.report(SkillResult(move.goal.header, move.goal.id, "succeeded", ""), 12 * S)
    assert task.history == []


def test_an_arm_that_never_answers_ends_in_a_timeout() -> None:
    saycan = SayCan(LIBRARY, ScriptedScorer(follows))
    task = Task(order("put the red block in the green bowl"), saycan, 10 * S, timeout_s=60)
    objects = Robot(table()).look()
    assert isinstance(task.advance(objects, 10 * S), Act)
    end = task.advance(objects, 71 * S)
    assert isinstance(end, End)
    assert end.result.outcome == "timeout"


def test_history_of_a_report_names_the_failure() -> None:
    assert str(StepRecord("pick up it", False, "it slipped")) == "pick up it (failed: it slipped)"
