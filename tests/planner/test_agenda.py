"""Several goals in one instruction: one after the other, verified, and done again when things were moved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seesay.messages import Object, Objects, SkillResult
from seesay.planner.anchors import Anchors
from seesay.planner.calibration import Calibration, DoneRule
from seesay.planner.language import ScriptedScorer
from seesay.planner.saycan import SayCan
from seesay.planner.skills import load_library
from seesay.planner.task import Act, End, Move, Task, Wait
from tests.planner.things import S, order, scene, thing

LIBRARY = load_library()
PHRASE = {
    "red": "pick up the red block and place it in the green bowl",
    "blue": "pick up the blue block and place it in the green bowl",
}
BOTH = "put all the blocks in the green bowl"


def follows(context: str, phrase: str) -> float:
    """A language model that does what the last request of the dialogue says, and `done` when a line of it is done."""
    request, _, steps = context.rpartition("Human: ")[2].partition("\n")
    done = [line for line in steps.splitlines() if "pick up" in line and "(failed)" not in line]
    if phrase == "done":
        return -0.2 if done else -9.0
    words = request.rstrip(".").split()
    return -0.2 if " ".join(words[2:4]) in phrase and phrase.endswith(" ".join(words[-2:])) and not done else -9.0


def at(number: int, label: str, inside: bool, seen_s: float) -> Object:
    return thing(number, label, 0.05 if inside else -0.1, 0.08 if inside else 0.05 * number, 0.03, seen_s=seen_s)


def table(at_s: float, *, red: bool, blue: bool) -> Objects:
    bowl = thing(3, "green bowl", 0.05, 0.08, size=0.12, seen_s=at_s)
    return scene(at(1, "red block", red, at_s), at(2, "blue block", blue, at_s), bowl, at_s=at_s)


def start(text: str = BOTH, verify: bool = True, max_steps: int = 8) -> tuple[Task, ScriptedScorer]:
    scorer = ScriptedScorer(follows)
    return Task(order(text), SayCan(LIBRARY, scorer), 10 * S, verify=verify, max_steps=max_steps), scorer


def finish(task: Task, move: Move, at_s: int, outcome: str = "succeeded") -> str:
    assert isinstance(move, Act)
    task.report(SkillResult(move.goal.header, move.goal.id, outcome, "it slipped"), at_s * S)  # type: ignore[arg-type]
    return move.goal.phrase


def test_one_goal_after_the_other_then_done() -> None:
    task, scorer = start()
    move = task.advance(table(10, red=False, blue=False), 10 * S)
    first = finish(task, move, 15)
    assert isinstance(move, Act)
    assert (move.step.instruction, move.step.subtask) == (BOTH, f"put the {first[12:].split(' and')[0]} in the green bowl")
    second = finish(task, task.advance(table(16, red="red" in first, blue="blue" in first), 16 * S), 20)
    assert {first, second} == set(PHRASE.values())
    end = task.advance(table(21, red=True, blue=True), 21 * S)
    assert isinstance(end, End)
    assert (end.result.outcome, end.result.steps) == ("done", 2)
    assert f"Human: {BOTH}" not in "".join(context for context, _ in scorer.calls)


def test_done_is_not_said_before_the_goals_are_seen_to_hold() -> None:
    task, _ = start()
    move = task.advance(table(10, red=False, blue=False), 10 * S)
    assert isinstance(move, Act)
    done = move.step.candidates[-1]
    assert done.affordance < 0.05
    assert "not seen in the green bowl" in done.reasons[0]


def test_how_sure_the_end_is_comes_from_the_calibration() -> None:
    library = replace(LIBRARY, calibration=Calibration({}, done=DoneRule(reached=0.8, open=0.1)))
    for reached, sure in ((False, 0.1), (True, 0.8)):
        task = Task(order(BOTH), SayCan(library, ScriptedScorer(follows)), 10 * S)
        move = task.advance(table(10, red=reached, blue=reached), 10 * S)
        assert isinstance(move, Act | End)
        assert move.step is not None
        assert move.step.candidates[-1].affordance == sure


def test_what_holds_already_needs_no_step() -> None:
    task, _ = start()
    end = task.advance(table(10, red=True, blue=True), 10 * S)
    assert isinstance(end, End)
    assert (end.result.outcome, end.result.steps) == ("done", 0)


def test_a_thing_that_was_taken_out_again_goes_back_in() -> None:
    task, _ = start()
    first = finish(task, task.advance(table(10, red=False, blue=False), 10 * S), 15)
    second = finish(task, task.advance(table(16, red="red" in first, blue="blue" in first), 16 * S), 20)
    assert second != first
    again = table(21, red="red" not in first, blue="blue" not in first)
    assert finish(task, task.advance(again, 21 * S), 25) == first
    assert isinstance(task.advance(table(26, red=True, blue=True), 26 * S), End)


def test_without_verification_the_executor_is_believed() -> None:
    task, _ = start(verify=False)
    finish(task, task.advance(table(10, red=False, blue=False), 10 * S), 15)
    finish(task, task.advance(table(16, red=False, blue=False), 16 * S), 20)
    end = task.advance(table(21, red=False, blue=False), 21 * S)
    assert isinstance(end, End)
    assert end.result.outcome == "done"


def test_failures_stand_in_the_goal_s_own_dialogue() -> None:
    task, scorer = start()
    phrase = finish(task, task.advance(table(10, red=False, blue=False), 10 * S), 15, "grasp_failed")
    assert finish(task, task.advance(table(16, red=False, blue=False), 16 * S), 20) == phrase
    assert scorer.calls[-1][0].endswith(f"1. {phrase} (failed)\n2. ")


def test_a_block_that_comes_into_view_later_counts_too() -> None:
    task, _ = start()
    bowl_and_red = [o for o in table(10, red=False, blue=False).objects if o.label != "blue block"]
    assert finish(task, task.advance(scene(*bowl_and_red), 10 * S), 15) == PHRASE["red"]
    first = task.advance(table(16, red=False, blue=False), 16 * S)
    assert isinstance(first, Wait)
    move = task.advance(table(17, red=True, blue=False), 17 * S)
    assert isinstance(move, Act)
    assert move.goal.phrase == PHRASE["blue"]


def test_nothing_of_what_is_meant_is_looked_for_and_named() -> None:
    task, _ = start()
    bowl = scene(thing(3, "green bowl", 0.05, 0.08, size=0.12))
    assert task.advance(bowl, 10 * S) == Wait("looking for the block")
    end = task.advance(bowl, 16 * S)
    assert isinstance(end, End)
    assert end.result.outcome == "refused"


@pytest.mark.parametrize("text", ["put the block in the green bowl", "amuse the red block"])
def test_what_the_grammar_leaves_open_goes_to_the_language_model_whole(text: str) -> None:
    task, scorer = start(text)
    task.advance(table(10, red=False, blue=False), 10 * S)
    assert scorer.calls[0][0].endswith(f"Human: {text}.\nRobot: 1. ")


def test_the_budget_of_steps_holds_for_all_goals_together() -> None:
    task, _ = start(max_steps=1)
    finish(task, task.advance(table(10, red=False, blue=False), 10 * S), 15)
    nothing = table(16, red=False, blue=False)
    assert isinstance(task.advance(nothing, 16 * S), Wait)
    end = task.advance(table(17, red=False, blue=False), 17 * S)
    assert isinstance(end, End)
    assert "which is the limit" in end.result.message


def test_a_bowl_keeps_its_name_when_it_looks_like_another() -> None:
    task, _ = start("put the red block and the blue block in the green bowl")
    first = finish(task, task.advance(table(10, red=False, blue=False), 10 * S), 15)
    assert first == PHRASE["red"]
    bowl = thing(3, "red bowl", 0.05, 0.08, size=0.12, seen_s=16)
    move = task.advance(scene(at(2, "blue block", False, 16), bowl, at_s=16), 16 * S)
    assert isinstance(move, Act)
    assert move.goal.phrase == PHRASE["blue"]
    assert move.goal.targets["place"].object_id == 3


def test_a_name_goes_to_the_thing_that_bears_it_now() -> None:
    anchors = Anchors()
    anchors.apply(scene(thing(1, "red block", 0, 0)))
    both = anchors.apply(scene(thing(1, "red bowl", 0, 0), thing(2, "red block", 0.1, 0)))
    assert [o.label for o in both.objects] == ["red bowl", "red block"]
    assert [o.label for o in anchors.apply(scene(thing(1, "red bowl", 0, 0))).objects] == ["red block"]
    assert [o.label for o in anchors.apply(scene(thing(4, "red bowl", 0, 0))).objects] == ["red bowl"]
