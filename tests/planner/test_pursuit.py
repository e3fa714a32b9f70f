"""Errands that are pursued: which step one is at, what plainly does not serve it, and what all there are is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seesay.messages import Header, Objects
from seesay.planner.affordance import AffordanceModel
from seesay.planner.errands import Errand
from seesay.planner.prompt import StepRecord
from seesay.planner.pursuit import Pursuit, agenda_of
from seesay.planner.skills import load_library
from seesay.planner.trail import Trail
from seesay.sim.kitchen import Kitchen, State

KITCHEN = load_library("kitchen")
NOTHING = Objects(Header(0), ())


def steps(*phrases: str) -> list[StepRecord]:
    return [StepRecord(phrase) for phrase in phrases]


def test_a_trail_follows_the_effects_of_what_succeeded() -> None:
    done = steps("find a tea", "pick up the tea", "go to the table", "put down the tea")
    assert Trail.of(done[:2], KITCHEN) == Trail("", "tea", (), ("",), "")
    assert Trail.of(done, KITCHEN) == Trail("table", "", (("tea", "table"),), ("", "table"))
    idle = [StepRecord("bring it to you", False, "nothing held"), StepRecord("what is this?")]
    assert Trail.of([*done, *idle], KITCHEN) == Trail.of(done, KITCHEN)


TOSSED = ("pick up the tea", "go to the trash", "put down the tea")


def pursue(text: str) -> Pursuit:
    agenda = agenda_of(text, KITCHEN)
    assert isinstance(agenda, Pursuit)
    return agenda


def test_done_waits_for_every_errand() -> None:
    pursuit = pursue("Toss the banana and fetch me a pepsi.")
    first = pursuit.next(NOTHING)
    assert (first.text, first.done) == ("Throw away the banana.", KITCHEN.done_rule.open)
    for record in steps("find a banana", "pick up the banana", "go to the trash", "put down the banana"):
        pursuit.record(record)
    second = pursuit.next(NOTHING)
    assert (second.text, second.history, second.done) == ("Bring me the pepsi.", (), KITCHEN.done_rule.open)
    assert second.reason == "the pepsi not yet put down at the user"
    for record in steps("find a pepsi", "pick up the pepsi", "bring it to you", "put down the pepsi"):
        assert pursuit.current == Errand("Bring me the pepsi.", "at", "user", ("pepsi",))
        pursuit.record(record)
    assert pursuit.current is None
    assert pursuit.next(NOTHING).done == KITCHEN.done_rule.reached
    assert set(pursuit.next(NOTHING).idle) == {option.phrase for option in KITCHEN.candidates()[:-1]}


def test_a_step_that_is_seen_to_have_failed_reopens_the_errand() -> None:
    pursuit = pursue("Hold the tea.")
    pursuit.record(StepRecord("pick up the tea"))
    assert pursuit.current is None
    pursuit.correct(StepRecord("pick up the tea", False, "its effect is not seen"))
    assert pursuit.current is not None


def test_done_chosen_all_the_same_goes_to_the_next_errand() -> None:
    pursuit = pursue("Go to the table and the trash.")
    assert not pursuit.finish()
    assert pursuit.next(NOTHING).text == "Go to the trash."
    assert pursuit.finish()


@pytest.mark.parametrize(
    ("text", "before", "phrase", "reason"),
    [
        ("Bring me the tea.", (), "find a apple", "the apple was not asked for"),
        ("Bring me the tea.", ("find a tea",), "bring it to you", "the gripper holds nothing"),
        ("Bring me the tea.", ("pick up the tea",), "go to the trash", "the tea is to be at the user"),
        ("Bring me the tea.", ("pick up the tea",), "put down the tea", "the tea is to be at the user"),
        ("Bring me something but not the tea.", (), "pick up the tea", "the tea was not asked for"),
        ("Hold the tea.", ("pick up the tea",), "bring it to you", "what was asked for is done"),
        ("Hold two teas.", ("pick up the tea",), "bring it to you", "what was asked for is done"),
        ("Go to the trash.", (), "find a tea", "the robot is to go to the trash"),
        ("Clear the tea off the table.", ("pick up the tea",), "go to the table", "the tea is to be off the table"),
        ("Toss two teas.", TOSSED, "pick up the tea", "the tea is at the trash already"),
    ],
)
def test_what_does_not_serve(text: str, before: tuple[str, ...], phrase: str, reason: str) -> None:
    pursuit = pursue(text)
    for record in steps(*before):
        pursuit.record(record)
    assert pursuit.next(NOTHING).idle[phrase] == reason


@pytest.mark.parametrize(
    ("before", "phrase"),
    [
        ((), "find a tea"),
        ((), "pick up the tea"),
        (("pick up the tea",), "bring it to you"),
        (("pick up the tea", "bring it to you"), "put down the tea"),
    ],
)
def test_what_serves(before: tuple[str, ...], phrase: str) -> None:
    pursuit = pursue("Bring me the tea.")
    for record in steps(*before):
        pursuit.record(record)
    assert phrase not in pursuit.next(NOTHING).idle


SCENE = {"apple#1": "table", "apple#2": "counter", "banana": "table", "tea": "table", "pepsi": "gripper"}


def carry(pursuit: Pursuit, kitchen: Kitchen, *phrases: str) -> None:
    """Steps that are done and told of."""
    options = {option.phrase: option for option in KITCHEN.candidates()}
    for phrase in phrases:
        outcome, _ = kitchen.attempt(options[phrase].skill, next(iter(options[phrase].arguments.values()), ""))
        assert outcome == "succeeded", phrase
        pursuit.record(StepRecord(phrase))


def test_all_of_a_kind_are_those_that_are_seen() -> None:
    kitchen = Kitchen(State("table", tuple({**SCENE, "pepsi": "counter"}.items())))
    pursuit = pursue("Bin all the fruit on the table.")
    texts: list[str] = []
    while (subtask := pursuit.next(kitchen.truth())).done == KITCHEN.done_rule.open:
        if subtask.text == "Go to the table.":   # another apple is on the counter
            carry(pursuit, kitchen, "go to the table")
            continue
        assert [str(record) for record in subtask.history] == ["go to the table"]
        texts.append(subtask.text)
        name = subtask.text.removeprefix("Throw away the ").removesuffix(".")
        assert f"pick up the {name}" not in subtask.idle
        assert "find a tea" in subtask.idle
        carry(pursuit, kitchen, f"pick up the {name}", "go to the trash")
        assert pursuit.next(kitchen.truth()).text == subtask.text
        carry(pursuit, kitchen, f"put down the {name}", "go to the table")
    assert texts == ["Throw away the apple.", "Throw away the banana."]
    assert "find a apple" in pursuit.next(kitchen.truth()).idle


def test_what_one_look_misses_is_not_forgotten() -> None:
    kitchen = Kitchen(State("table", (("apple", "table"), ("banana", "table"))))
    pursuit = pursue("Bin all the fruit.")
    assert pursuit.next(kitchen.truth()).done == KITCHEN.done_rule.open
    carry(pursuit, kitchen, "pick up the apple", "go to the trash", "put down the apple")
    assert "banana" in pursuit.next(kitchen.truth()).text
    for done in (KITCHEN.done_rule.open, KITCHEN.done_rule.reached):
        kitchen.time_ns += 1
        seen = kitchen.truth()
        assert pursuit.next(replace(seen, objects=seen.objects[:1])).done == done


def test_where_none_is_seen_all_is_not_over() -> None:
    pursuit = pursue("Bin all the fruit.")
    assert pursuit.next(NOTHING).done == KITCHEN.done_rule.open
    assert pursuit.next(NOTHING).text == "Bin all the fruit."


def test_a_thing_that_is_in_the_way_is_put_down_first() -> None:
    kitchen = Kitchen(State("counter", tuple(SCENE.items())))
    pursuit = pursue("Bring me the tea.")
    idle = pursuit.next(kitchen.truth()).idle
    assert idle["find a tea"] == "the gripper holds the pepsi"
    assert "put down the pepsi" not in idle
    carry(pursuit, kitchen, "put down the pepsi")
    assert "find a tea" not in pursuit.next(kitchen.truth()).idle


def test_a_task_does_not_end_half_way() -> None:
    pursuit = pursue("Bring me the tea.")
    assert KITCHEN.done_phrase not in pursuit.next(NOTHING).idle
    pursuit.record(StepRecord("find a tea"))
    assert pursuit.next(NOTHING).idle[KITCHEN.done_phrase] == "the tea is on its way"


def test_what_has_been_found_is_what_is_picked_up() -> None:
    pursuit = pursue("Bring me a soda.")
    pursuit.record(StepRecord("find a pepsi"))
    idle = pursuit.next(NOTHING).idle
    assert idle["pick up the 7up"] == "the pepsi has been found for it"
    assert "pick up the pepsi" not in idle
    pursuit.record(StepRecord("pick up the pepsi", False, "there is no pepsi"))
    assert "pick up the 7up" not in pursuit.next(NOTHING).idle


def test_of_two_alike_the_one_that_is_meant() -> None:
    kitchen = Kitchen(State("counter", tuple({**SCENE, "pepsi": "counter"}.items())))
    pursuit = pursue("Bring me the apple from the table.")
    first = pursuit.next(kitchen.truth())
    assert (first.text, first.history, first.done) == ("Go to the table.", (), KITCHEN.done_rule.open)
    assert first.idle["find a apple"] == "the robot is to go to the table"
    carry(pursuit, kitchen, "go to the table")
    then = pursuit.next(kitchen.truth())
    assert then.text == "Bring me the apple."
    assert "pick up the apple" not in then.idle
    carry(pursuit, kitchen, "find a apple")
    assert pursuit.next(kitchen.truth()).text == "Bring me the apple."
    carry(pursuit, kitchen, "pick up the apple", "bring it to you")
    assert kitchen.state.where["apple#1"] == "gripper"
    assert pursuit.next(kitchen.truth()).text == "Bring me the apple."


def test_looking_ahead_knows_what_follows() -> None:
    subtask = pursue("Hold the tea.").next(NOTHING)
    later = subtask.after(StepRecord("pick up the tea"), NOTHING, KITCHEN)
    assert (subtask.done, later.done) == (KITCHEN.done_rule.open, KITCHEN.done_rule.reached)


def test_a_reason_lowers_an_affordance() -> None:
    option = next(o for o in KITCHEN.candidates() if o.phrase == "go to the table")
    affordance = AffordanceModel().estimate(option, KITCHEN, NOTHING, 0, None, ())
    lowered = affordance.lowered(0.1, "not asked for")
    assert lowered.probability == pytest.approx(0.1 * affordance.probability)
    assert lowered.reasons[-1] == "not asked for"
    assert affordance.lowered(0.1, None) == affordance
