"""A decision that leaves several options open: who is asked, what counts as an answer, and how the plan goes on."""

from __future__ import annotations

import pytest

from seesay.errors import SkillError
from seesay.messages import Objects, SkillResult, WithoutAnswer
from seesay.planner.asking import Help, read_answer
from seesay.planner.conformal import HelpCalibration, prompt_mark
from seesay.planner.language import ScriptedScorer
from seesay.planner.saycan import SayCan
from seesay.planner.skills import load_library
from seesay.planner.task import Act, End, Task, Wait
from tests.planner.things import S, order, scene, thing

LIBRARY = load_library()
CALIBRATION = HelpCalibration("scripted", "sum", prompt_mark(LIBRARY), 100, 1.0, {"0.80": 0.85})
RED, BLUE, CORNER = (
    f"pick up the {a} block and place it in the {b}" for a, b in (("red", "green bowl"), ("blue", "green bowl"), ("red", "middle"))
)
UNCLEAR = "put the block in the green bowl"


def saycan(blue: float = -1.5, after: float = -20.0) -> SayCan:
    """Red into the bowl is a little likelier than blue until a step has succeeded; after: of `done` from then on."""
    first = {RED: -1.0, BLUE: blue}

    def script(context: str, phrase: str) -> float:
        turn = context.rpartition("Robot: ")[2]
        return first.get(phrase, -20.0) if turn == "1. " or "(failed)" in turn else after if phrase == "done" else -20.0

    return SayCan(LIBRARY, ScriptedScorer(script))


def asking(otherwise: WithoutAnswer = "best", instruction: str = UNCLEAR, blue: float = -1.5, after: float = -20.0) -> Task:
    help = Help(CALIBRATION, 0.8, timeout_s=20.0, otherwise=otherwise)
    return Task(order(instruction), saycan(blue, after), 10 * S, help=help)


def later(objects: Objects, at_s: float) -> Objects:
    return scene(*(thing(t.id, t.label, *t.position.tolist(), seen_s=at_s, size=float(t.extent[0])) for t in objects.objects), at_s=at_s)


def test_an_unclear_decision_is_asked_about_and_the_answer_is_run(table: Objects) -> None:
    task = asking()
    assert isinstance(task.advance(table, 10 * S), Wait)
    question = task.question
    assert question is not None
    assert (question.options, question.answer, question.until_ns) == ((RED, BLUE), "", 30 * S)
    assert question.confidences[0] > question.confidences[1] > 0.15
    assert isinstance(task.advance(later(table, 12), 12 * S), Wait)
    assert task.question == question
    assert task.answer(question.id, "2").answer == f"a person: {BLUE}"
    move = task.advance(later(table, 13), 13 * S)
    assert isinstance(move, Act)
    assert move.goal.phrase == BLUE
    assert move.goal.targets["object"].stamp_ns == 13 * S
    assert (move.step.asked, move.step.answer) == ((RED, BLUE), f"a person: {BLUE}")
    chosen, lost = (next(each for each in move.step.candidates if each.phrase == phrase) for phrase in (BLUE, RED))
    assert (chosen.why_not, lost.why_not) == ("", f"not what came of asking (a person: {BLUE})")


def test_a_clear_decision_is_not_asked_about(table: Objects) -> None:
    task = asking(instruction="put the red block in the green bowl", blue=-9.0)
    move = task.advance(table, 10 * S)
    assert isinstance(move, Act)
    assert (move.step.asked, move.step.answer, task.question) == ((), "", None)


def test_without_help_nobody_is_asked(table: Objects) -> None:
    task = Task(order(UNCLEAR), saycan(), 10 * S)
    assert isinstance(task.advance(table, 10 * S), Act)
    with pytest.raises(SkillError, match="no question is open"):
        task.answer("", "1")


def test_where_nothing_is_sure_enough_the_best_three_are_offered(table: Objects) -> None:
    task = Task(order(UNCLEAR), SayCan(LIBRARY, ScriptedScorer({}, -1.0)), 10 * S, help=Help(CALIBRATION, 0.8))
    assert isinstance(task.advance(table, 10 * S), Wait)
    assert task.question is not None
    assert len(task.question.options) == 3


@pytest.mark.parametrize(("otherwise", "end"), [("best", RED), ("stop", "cancelled"), ("wait", "")])
def test_without_an_answer_in_time(table: Objects, otherwise: WithoutAnswer, end: str) -> None:
    task = asking(otherwise)
    task.advance(table, 10 * S)
    assert isinstance(task.advance(later(table, 29), 29 * S), Wait)
    move = task.advance(later(table, 31), 31 * S)
    assert task.question is not None
    if otherwise == "best":
        assert isinstance(move, Act)
        assert (move.goal.phrase, move.step.answer) == (end, "nobody in time: the best one was taken")
    elif otherwise == "stop":
        assert isinstance(move, End)
        assert (move.result.outcome, move.result.message) == (end, "asked what to do next, nobody in time: stopped")
        assert move.step is not None
        assert move.step.asked == (RED, BLUE)
    else:
        assert isinstance(move, Wait)
        assert task.question.until_ns == 0
        ended = task.advance(later(table, 700), 700 * S)
        assert isinstance(ended, End)
        assert ended.result.outcome == "timeout"
        assert task.question.answer == "withdrawn: the task is over"


def test_none_of_them_ends_the_task(table: Objects) -> None:
    task = asking()
    task.advance(table, 10 * S)
    task.answer("", "none")
    move = task.advance(later(table, 12), 12 * S)
    assert isinstance(move, End)
    assert (move.result.outcome, move.result.message) == ("cancelled", "asked what to do next, a person: none of them")


def test_cancel_while_asking_withdraws_the_question(table: Objects) -> None:
    task = asking()
    task.advance(table, 10 * S)
    assert task.cancel("a person asked for it", 12 * S).result.outcome == "cancelled"
    assert task.question is not None
    assert task.question.answer == "withdrawn: the task is over"
    with pytest.raises(SkillError, match="no question is open"):
        task.answer(task.question.id, "1")
    assert isinstance(task.advance(later(table, 13), 13 * S), End)


def test_a_bad_answer_leaves_the_question_open(table: Objects) -> None:
    task = asking()
    task.advance(table, 10 * S)
    with pytest.raises(SkillError, match=r"got '7': choose from 1 pick up the red"):
        task.answer("", "7")
    with pytest.raises(SkillError, match="got one to another"):
        task.answer("t0/question-1", "1")
    assert isinstance(task.advance(later(table, 12), 12 * S), Wait)
    task.answer("", "the blue one")
    with pytest.raises(SkillError, match="no question is open"):
        task.answer("", "1")
    move = task.advance(later(table, 13), 13 * S)
    assert isinstance(move, Act)
    assert move.goal.phrase == BLUE


def test_a_chosen_step_that_failed_is_tried_again_without_asking(table: Objects) -> None:
    task = asking()
    task.advance(table, 10 * S)
    task.answer("", "blue")
    move = task.advance(later(table, 12), 12 * S)
    assert isinstance(move, Act)
    task.report(SkillResult(move.goal.header, move.goal.id, "dropped", "it slipped"), 13 * S)
    again = task.advance(later(table, 14), 14 * S)
    assert isinstance(again, Act)
    assert (again.goal.phrase, again.step.asked) == (BLUE, ())


def test_what_a_person_chose_is_what_the_instruction_means(table: Objects) -> None:
    """Once the blue block is seen in the bowl it is done, though the red one would fit the words as well."""
    task = asking(after=-0.1)
    task.advance(table, 10 * S)
    task.answer("", "blue")
    move = task.advance(later(table, 12), 12 * S)
    assert isinstance(move, Act)
    task.report(SkillResult(move.goal.header, move.goal.id, "succeeded", ""), 13 * S)
    bowl, red = thing(3, "green bowl", 0.05, 0.08, size=0.12, seen_s=14), thing(1, "red block", -0.1, -0.05, seen_s=14)
    end = task.advance(scene(bowl, red, thing(2, "blue block", 0.05, 0.08, 0.04, seen_s=14), at_s=14), 14 * S)
    assert isinstance(end, End)
    assert (end.result.outcome, end.result.message) == ("done", "done after one step")
    assert end.step is not None
    assert end.step.subtask == "put the blue block in the green bowl"


def test_of_several_steps_only_the_first_is_settled(table: Objects) -> None:
    task = asking(instruction="put the block in the green bowl and the other block in the yellow bowl")
    task.advance(table, 10 * S)
    task.answer("", "blue")
    move = task.advance(later(table, 12), 12 * S)
    assert isinstance(move, Act)
    assert move.step.subtask == ""
    task.report(SkillResult(move.goal.header, move.goal.id, "failed", ""), 13 * S)
    again = task.advance(later(table, 14), 14 * S)
    assert isinstance(again, Act)
    assert again.step.subtask == ""


@pytest.mark.parametrize(
    ("text", "phrase"),
    [("1", RED), (" 2 ", BLUE), ("the BLUE one", BLUE), (RED, RED), ("red, please", RED), ("none", None), ("Stop", None),
     ("in the middle", CORNER), (CORNER, CORNER)],
)  # fmt: skip
def test_answers(text: str, phrase: str | None) -> None:
    assert read_answer(text, [RED, BLUE], [RED, BLUE, CORNER]) == phrase


@pytest.mark.parametrize(
    "text", ["", " ", "0", "3", "-1", "1.5", "²", "٣", "9" * 5000, "block", "yellow", "the one", "red" * 400, "\x00", "in"]
)
def test_what_is_no_answer(text: str) -> None:
    with pytest.raises(SkillError, match="expected a number, words of one option, or `none`"):
        read_answer(text, [RED, BLUE], [RED, BLUE, CORNER])


@pytest.mark.parametrize(("target", "timeout_s", "otherwise"), [(0.99, 1.0, "best"), (0.8, 0.0, "best"), (0.8, 1.0, "guess")])
def test_wrong_settings(target: float, timeout_s: float, otherwise: WithoutAnswer) -> None:
    with pytest.raises(SkillError, match="expected"):
        Help(CALIBRATION, target, timeout_s, otherwise)
