"""From an instruction to its end, with scripted language and made-up objects."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from seesay.errors import ConfigError, ModelError
from seesay.messages import Objects, Outcome, SkillResult
from seesay.planner.asking import Help
from seesay.planner.conformal import HelpCalibration, prompt_mark
from seesay.planner.language import ScriptedScorer
from seesay.planner.saycan import Mode, SayCan
from seesay.planner.skills import load_library
from seesay.planner.task import Act, End, Move, Task, Wait
from tests.planner.things import S, order, scene, thing

STEP = "pick up the red block and place it in the green bowl"
UNSEEN = "pick up the green block and place it in the green bowl"


def after_one_step(context: str, phrase: str) -> float:
    """Wants STEP until the last line of the dialogue shows it done, then `done`."""
    finished = context.rstrip("0123456789. ").endswith(STEP + "\n")
    return -0.1 if phrase == ("done" if finished else STEP) else -15.0


def start(
    text: str = "put the red block in the green bowl", says: Callable[[str, str], float] = after_one_step, mode: Mode = "combined",
    timeout_s: float = 600.0,
) -> Task:
    return Task(order(text), SayCan(load_library(), ScriptedScorer(says), mode=mode), 10 * S, timeout_s=timeout_s)


def finish(task: Task, move: Move, outcome: Outcome, at_s: float, message: str = "") -> None:
    assert isinstance(move, Act)
    task.report(SkillResult(move.goal.header, move.goal.id, outcome, message), int(at_s * S))


def bowl_and(*, inside: bool, at_s: float) -> Objects:
    block = thing(1, "red block", 0.05, 0.08, 0.03, seen_s=at_s) if inside else thing(1, "red block", -0.1, -0.05, seen_s=at_s)
    return scene(block, thing(3, "green bowl", 0.05, 0.08, size=0.12, seen_s=at_s), at_s=at_s)


def ended(move: Move) -> tuple[str, str]:
    assert isinstance(move, End)
    return move.result.outcome, move.result.message


def test_one_step_and_done(table: Objects) -> None:
    task = start()
    move = task.advance(table, 10 * S)
    assert isinstance(move, Act)
    assert move.goal.phrase == STEP
    assert isinstance(task.advance(table, 11 * S), Wait)
    finish(task, move, "succeeded", 20)
    waiting = task.advance(table, 20 * S)
    assert waiting == Wait("waiting for a picture of how things stand now")
    end = task.advance(bowl_and(inside=True, at_s=21), 21 * S)
    assert isinstance(end, End)
    assert (end.result.outcome, end.result.steps, end.result.instruction_id) == ("done", 1, "t1")
    assert end.step is not None
    assert end.step.history == (STEP,)
    assert task.advance(table, 22 * S) == End(end.result)


def test_failed_grasp_is_tried_again(table: Objects) -> None:
    task = start()
    finish(task, task.advance(table, 10 * S), "grasp_failed", 15, "nothing was between the fingers")
    again = task.advance(bowl_and(inside=False, at_s=16), 16 * S)
    assert isinstance(again, Act)
    assert again.goal.phrase == STEP
    assert again.goal.id == "t1/2"
    assert again.step.history == (f"{STEP} (failed: nothing was between the fingers)",)
    finish(task, again, "succeeded", 20)
    assert ended(task.advance(bowl_and(inside=True, at_s=21), 21 * S)) == ("done", "done after 2 steps")


def test_success_that_is_seen_not_to_be_one_is_tried_again(table: Objects) -> None:
    task = start()
    finish(task, task.advance(table, 10 * S), "succeeded", 15)
    doubt = Wait(f"looking again whether this had its effect: {STEP}")
    assert task.advance(bowl_and(inside=False, at_s=16), 16 * S) == doubt
    assert task.advance(bowl_and(inside=False, at_s=16), 16 * S) == doubt
    again = task.advance(bowl_and(inside=False, at_s=17), 17 * S)
    assert isinstance(again, Act)
    assert again.step.history == (f"{STEP} (failed: it is seen elsewhere)",)


def test_a_thing_that_vanished_into_the_bowl_is_not_taken_for_still_lying_where_it_was(table: Objects) -> None:
    task = start()
    finish(task, task.advance(table, 10 * S), "succeeded", 15)
    stale = scene(thing(1, "red block", -0.1, -0.05, seen_s=10), thing(3, "green bowl", 0.05, 0.08, size=0.12, seen_s=16), at_s=16)
    assert ended(task.advance(stale, 16 * S)) == ("done", "done after one step")


def test_a_second_look_may_show_the_effect(table: Objects) -> None:
    task = start()
    finish(task, task.advance(table, 10 * S), "succeeded", 15)
    assert isinstance(task.advance(bowl_and(inside=False, at_s=16), 16 * S), Wait)
    assert ended(task.advance(bowl_and(inside=True, at_s=17), 17 * S))[0] == "done"


def test_gives_up_after_failures_in_a_row() -> None:
    task = start()
    for i in range(3):
        finish(task, task.advance(bowl_and(inside=False, at_s=10 + i), (10 + i) * S), "grasp_failed", 10.5 + i, "it slipped")
    outcome, message = ended(task.advance(bowl_and(inside=False, at_s=20), 20 * S))
    assert outcome == "failed"
    assert message == "gave up after 3 failures in a row, the last: it slipped"


def test_step_limit() -> None:
    task = start(says=lambda _, phrase: -0.1 if phrase == STEP else -25.0)
    at = 10
    move = task.advance(bowl_and(inside=True, at_s=at), at * S)
    while isinstance(move, Act):
        finish(task, move, "succeeded", at + 1)
        at += 2
        move = task.advance(bowl_and(inside=True, at_s=at), at * S)
    assert ended(move) == ("failed", "not done after 8 steps, which is the limit")


def test_named_but_not_seen_is_looked_for_and_then_refused(table: Objects) -> None:
    task = start("put the green block in the green bowl")
    assert task.advance(table, 10 * S) == Wait("looking for the green block")
    outcome, message = ended(task.advance(table, 16 * S))
    assert outcome == "refused"
    assert message.startswith("the instruction names the green block, which is not seen (seen: blue block, green bowl")


def test_what_was_put_away_need_not_be_seen_any_more(table: Objects) -> None:
    task = start()
    finish(task, task.advance(table, 10 * S), "succeeded", 20)
    bowl = scene(thing(3, "green bowl", 0.05, 0.08, size=0.12, seen_s=21), at_s=21)
    assert ended(task.advance(bowl, 21 * S))[0] == "done"


def test_instruction_about_nothing_here_is_refused_at_once() -> None:
    outcome, message = ended(start("bring me a coffee").advance(None, 10 * S))
    assert outcome == "refused"
    assert "names nothing" in message


def test_waits_for_the_first_picture() -> None:
    assert isinstance(start().advance(None, 10 * S), Wait)


def test_language_only_may_name_what_is_not_there_and_fails(table: Objects) -> None:
    task = start(says=lambda _, phrase: -0.1 if phrase == UNSEEN else -15.0, mode="language_only")
    moves = [task.advance(table, 10 * S) for _ in range(4)]
    assert moves[0] == Wait(f"cannot run {UNSEEN!r}: green block not seen")
    assert ended(moves[3])[0] == "failed"


def test_timeout_and_cancel(table: Objects) -> None:
    late = start(timeout_s=5.0)
    late.advance(table, 10 * S)
    assert ended(late.advance(table, 16 * S))[0] == "timeout"
    task = start()
    assert isinstance(task.advance(table, 10 * S), Act)
    assert ended(task.cancel("a person asked for it", 11 * S)) == ("cancelled", "a person asked for it")
    assert task.goal is None
    assert ended(task.advance(table, 12 * S))[0] == "cancelled"


def test_a_clock_that_is_set_back_ends_the_task(table: Objects) -> None:
    """Its deadline, and the time from which on pictures count, would be reached only when all that time has passed once more."""
    task = start()
    assert isinstance(task.advance(table, 10 * S), Act)
    outcome, message = ended(task.advance(scene(at_s=0.1), S // 10))
    assert outcome == "cancelled"
    assert "clock was set back" in message


def test_results_of_other_goals_are_ignored(table: Objects) -> None:
    task = start()
    move = task.advance(table, 10 * S)
    assert isinstance(move, Act)
    task.report(SkillResult(move.goal.header, "someone else's", "succeeded", ""), 11 * S)
    assert task.goal is move.goal


@pytest.mark.parametrize(("fault", "said"), [
    (math.nan, "expected log-probabilities from scripted, got nan"),
    (ConfigError("the server serves no named model; name one"), "the server serves no named model; name one"),
])  # fmt: skip
def test_a_model_that_goes_wrong_in_mid_plan_ends_the_task(table: Objects, fault: float | ConfigError, said: str) -> None:
    def says(context: str, phrase: str) -> float:
        if "(failed)" not in context.rpartition("Human: ")[2]:
            return after_one_step(context, phrase)
        if isinstance(fault, ConfigError):
            raise fault
        return fault

    task = start(says=says)
    finish(task, task.advance(table, 10 * S), "grasp_failed", 15)
    outcome, message = ended(task.advance(bowl_and(inside=False, at_s=16), 16 * S))
    assert outcome == "failed"
    assert message.startswith(said)


def test_a_server_that_dies_while_a_person_answers_ends_the_task(table: Objects) -> None:
    """The answer `done` drops the first of two goals; the decision about the second finds no server."""
    library = load_library()
    asked: list[bool] = []

    def says(context: str, phrase: str) -> float:
        if asked:
            raise ModelError("the server is gone: see that it runs")
        return -1.0

    help = Help(HelpCalibration("scripted", "sum", prompt_mark(library), 100, 1.0, {"0.80": 0.0001}), 0.8)
    task = Task(order("put the red block and the blue block in the green bowl"), SayCan(library, ScriptedScorer(says)), 10 * S, help=help)
    assert isinstance(task.advance(table, 10 * S), Wait)
    assert task.question is not None
    task.answer("", "done")
    asked.append(True)
    assert ended(task.advance(table, 11 * S)) == ("failed", "the server is gone: see that it runs")


READABLE, UNREADABLE = "put the red block in the green bowl", "do something nice with the block"


def far(at_s: float) -> Objects:
    return scene(thing(1, "red block", 0.9, 0.0, seen_s=at_s), thing(3, "green bowl", 0.8, 0.0, size=0.12, seen_s=at_s), at_s=at_s)


def stale(at_s: float) -> Objects:
    return bowl_and(inside=False, at_s=at_s - 50)


@pytest.mark.parametrize(("look", "text", "outcome", "said"), [
    (stale, READABLE, "failed", "nothing is feasible: red block last seen 50.0 s ago, green bowl last seen 50.0 s ago"),
    (stale, UNREADABLE, "failed", "nothing is feasible: red block last seen 50.0 s ago, green bowl last seen 50.0 s ago"),
    (far, READABLE, "failed", "nothing is feasible: red block out of reach, green bowl out of reach"),
    (far, UNREADABLE, "failed", "nothing is feasible: red block out of reach, green bowl out of reach"),
    (lambda at_s: scene(at_s=at_s), READABLE, "refused", "the instruction names the red block and green bowl, which is not seen"),
    (lambda at_s: scene(at_s=at_s), UNREADABLE, "failed", "nothing is feasible: blue block not seen, "),
])  # fmt: skip
def test_where_nothing_can_be_done_the_task_says_why(look: Callable[[float], Objects], text: str, outcome: str, said: str) -> None:
    task = Task(order(text), SayCan(load_library(), ScriptedScorer({}, -1.0)), 60 * S)
    assert isinstance(task.advance(look(60), 60 * S), Wait)
    got, message = ended(task.advance(look(65), 65 * S))
    assert (got, message[: len(said)]) == (outcome, said)


def test_what_can_be_done_later_is_waited_for() -> None:
    task = start()
    assert task.advance(far(10), 10 * S) == Wait("looking for something that can be done")
    assert isinstance(task.advance(bowl_and(inside=False, at_s=14), 14 * S), Act)


def test_an_executor_that_never_answers_is_given_up(table: Objects) -> None:
    task = start()
    assert isinstance(task.advance(table, 10 * S), Act)
    assert isinstance(task.advance(table, 99 * S), Wait)
    outcome, message = ended(task.advance(table, 101 * S))
    assert outcome == "failed"
    assert message.startswith(f"the executor has not answered to {STEP!r} within 90 s: see that it runs")
