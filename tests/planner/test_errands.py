"""Errands: what an instruction plainly says, which step it is at, and what plainly does not serve it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seesay.messages import Header, Objects
from seesay.planner.affordance import AffordanceModel
from seesay.planner.errands import Errand, read_errands
from seesay.planner.prompt import StepRecord
from seesay.planner.pursuit import Pursuit, Trail, agenda_of
from seesay.planner.skills import load_library

KITCHEN = load_library("kitchen")
NOTHING = Objects(Header(0), ())


def short(text: str) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...], int | None]]:
    return [(e.ends, e.place, e.things, e.without, e.times) for e in read_errands(text, KITCHEN)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Serve me the orange.", [("at", "user", ("orange",), (), 1)]),
        ("Could you toss the banana, please?", [("at", "trash", ("banana",), (), 1)]),
        ("carry the sprite to the far counter", [("at", "far counter", ("sprite can",), (), 1)]),
        ("Bring the tea on the table to me.", [("at", "user", ("tea",), (), 1)]),
        ("Keep hold of the apple.", [("held", "", ("apple",), (), 1)]),
        ("Put the apple in your hand.", [("held", "", ("apple",), (), 1)]),
        ("Head to the counter.", [("near", "counter", (), (), 1)]),
        ("Remove the pepsi from the far counter.", [("off", "far counter", ("pepsi",), (), 1)]),
        ("Fetch a fruit that isn't an orange or a banana.", [("at", "user", (), ("orange", "banana"), 1)]),
        ("Toss two bananas.", [("at", "trash", ("banana",), (), 2)]),
        ("Bring me all the snacks.", [("at", "user", (), (), None)]),
        ("The banana is rotten, chuck it.", [("at", "trash", ("banana",), (), 1)]),
        ("Lift the tea and carry it to the table.", [("at", "table", ("tea",), (), 1)]),
        ("Toss the banana and fetch me a pepsi.", [("at", "trash", ("banana",), (), 1), ("at", "user", ("pepsi",), (), 1)]),
        ("Set the tea, the apple and a soda on the counter.", [("at", "counter", t, (), 1) for t in [("tea",), ("apple",), ()]]),
        ("Visit the table and the trash.", [("near", "table", (), (), 1), ("near", "trash", (), (), 1)]),
        ("I like apples.", []),
        ("Put the apple somewhere.", []),
        ("Toss the banana and dance.", [("at", "trash", ("banana",), (), 1)]),
    ],
)
def test_what_is_read(text: str, wanted: list[object]) -> None:
    assert short(text) == wanted


def test_each_errand_has_the_words_for_the_language_model() -> None:
    texts = [errand.text for errand in read_errands("Can you bring me a tea and the apple, and throw away the coke?", KITCHEN)]
    assert texts == ["Can you bring me a tea.", "Can you bring me the apple.", "Throw away the coke?"]


WORDS = ["bring", "put", "clear", "me", "a", "the", "apple", "and", ",", ".", "not", "on", "off", "from", "table", "two", "all", "it", "go"]


@given(st.text(max_size=400) | st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join))
def test_any_text_is_read_or_not(text: str) -> None:
    for errand in read_errands(text, KITCHEN):
        assert errand.place in ("", *KITCHEN.places)
        assert not set(errand.things) & set(errand.without)


def test_an_instruction_that_is_too_long_is_not_read() -> None:
    """It is refused anyway, and reading takes longer than in proportion."""
    assert agenda_of("bring me the tea and " * 20_000, KITCHEN) is None
    assert agenda_of("put the red block in the green bowl and " * 20_000, load_library("tabletop")) is None


def test_a_library_without_such_words_reads_what_lies_where() -> None:
    tabletop = load_library("tabletop")
    assert read_errands("bring me the red block", tabletop) == ()
    assert not isinstance(agenda_of("put the red block in the green bowl", tabletop), Pursuit | None)


def steps(*phrases: str) -> list[StepRecord]:
    return [StepRecord(phrase) for phrase in phrases]


def test_a_trail_follows_the_effects_of_what_succeeded() -> None:
    done = steps("find a tea", "pick up the tea", "go to the table", "put down the tea")
    assert Trail.of(done[:2], KITCHEN) == Trail("", "tea", (), ("",))
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
    assert (first.text, first.done) == ("Toss the banana.", KITCHEN.done_rule.open)
    for record in steps("find a banana", "pick up the banana", "go to the trash", "put down the banana"):
        pursuit.record(record)
    second = pursuit.next(NOTHING)
    assert (second.text, second.history, second.done) == ("Fetch me a pepsi.", (), KITCHEN.done_rule.open)
    assert second.reason == "the pepsi not yet put down at the user"
    for record in steps("find a pepsi", "pick up the pepsi", "bring it to you", "put down the pepsi"):
        assert pursuit.current == Errand("Fetch me a pepsi.", "at", "user", ("pepsi",))
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
