"""Errands: what an instruction plainly says, which step it is at, and what plainly does not serve it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seesay.messages import Header, Objects
from seesay.planner.affordance import AffordanceModel
from seesay.planner.errands import Errand, read_errands
from seesay.planner.prompt import StepRecord
from seesay.planner.pursuit import Pursuit, agenda_of
from seesay.planner.skills import load_library
from seesay.planner.trail import Trail
from seesay.planner.wording import is_slip, mended
from seesay.sim.kitchen import Kitchen, State

KITCHEN = load_library("kitchen")
NOTHING = Objects(Header(0), ())


CHIPS = ("rice chips", "jalapeno chips", "multigrain chips", "sea salt chips")
SODAS = ("coke can", "pepsi", "7up", "sprite can", "lime soda", "grapefruit soda")


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
        ("Give me what is in your hand.", [("at", "user", (), (), 1)]),
        ("Head to the counter.", [("near", "counter", (), (), 1)]),
        ("Remove the pepsi from the far counter.", [("off", "far counter", ("pepsi",), (), 1)]),
        ("Fetch a fruit that isn't an orange or a banana.", [("at", "user", ("apple",), ("orange", "banana"), 1)]),
        ("Bring me anything but the tea.", [("at", "user", (), ("tea",), 1)]),
        ("Toss two bananas.", [("at", "trash", ("banana",), (), 2)]),
        ("Toss both bananas.", [("at", "trash", ("banana",), (), 2)]),
        ("Bring me two bags of chips.", [("at", "user", CHIPS, (), 2)]),
        ("Bring me all the chips.", [("at", "user", CHIPS, (), None)]),
        ("Bring me some sodas.", [("at", "user", SODAS, (), 1)]),
        ("Bring me a cola or a tea.", [("at", "user", ("coke can", "pepsi", "tea"), (), 1)]),
        ("Clear the counter.", [("off", "counter", (), (), None)]),
        ("The banana is rotten, chuck it.", [("at", "trash", ("banana",), (), 1)]),
        ("Lift the tea and carry it to the table.", [("at", "table", ("tea",), (), 1)]),
        ("Toss the banana and fetch me a pepsi.", [("at", "trash", ("banana",), (), 1), ("at", "user", ("pepsi",), (), 1)]),
        ("Set the tea, the apple and a cola on the table.", [("at", "table", t, (), 1) for t in [("tea",), ("apple",), SODAS[:2]]]),
        ("Tea to the table and apple to the counter.", [("at", "table", ("tea",), (), 1), ("at", "counter", ("apple",), (), 1)]),
        ("Visit the table and the trash.", [("near", "table", (), (), 1), ("near", "trash", (), (), 1)]),
        ("Go to the counter and grab the tea.", [("near", "counter", (), (), 1), ("held", "", ("tea",), (), 1)]),
        ("Hold the tea and come to me with it.", [("held", "", ("tea",), (), 1), ("near", "user", (), (), 1)]),
        ("Let go of the tea.", [("down", "", ("tea",), (), 1)]),
        ("Put down the tea at the counter.", [("at", "counter", ("tea",), (), 1)]),
        ("The tea belongs on the table.", [("at", "table", ("tea",), (), 1)]),
        ("The tea has had its day, can it go in the bin?", [("at", "trash", ("tea",), (), 1)]),
        ("I fancy a cola.", [("at", "user", ("coke can", "pepsi"), (), 1)]),
        ("I need you to put the tea on the table.", [("at", "table", ("tea",), (), 1)]),
        ("Would you mind passing me the tea?", [("at", "user", ("tea",), (), 1)]),
        ("Before you bring me the tea, bin the apple.", [("at", "trash", ("apple",), (), 1), ("at", "user", ("tea",), (), 1)]),
        ("Bring me the tea after you bin the apple.", [("at", "trash", ("apple",), (), 1), ("at", "user", ("tea",), (), 1)]),
        ("Who put the tea there? It goes on the table.", [("at", "table", ("tea",), (), 1)]),
        ("Bring me the tea. Don't touch the apple.", [("at", "user", ("tea",), ("apple",), 1)]),
        ("pls brign me the sponge, its on the cuonter", [("at", "user", ("sponge",), (), 1)]),
        ("I wouldn't say no to that tea.", [("at", "user", ("tea",), (), 1)]),
        ("We've no time: park the tea on the counter.", [("at", "counter", ("tea",), (), 1)]),
        ("The apple was left on the table. Into the trash with it.", [("at", "trash", ("apple",), (), 1)]),
        ("Both apples are mush, out they go. I'll take tea.", [("at", "trash", ("apple",), (), 2), ("at", "user", ("tea",), (), 1)]),
        ("Bin the tea. The apple is fine, leave it.", [("at", "trash", ("tea",), (), 1)]),
        ("Bring me one of those old sodas.", [("at", "user", SODAS, (), 1)]),
        ("Everything on the counter but the tea is to go in the trash.", [("at", "trash", (), ("tea",), None)]),
        ("I like apples.", []),
        ("Put the apple somewhere.", []),
        ("Toss the banana and dance.", [("at", "trash", ("banana",), (), 1)]),
    ],
)  # fmt: skip
def test_what_is_read(text: str, wanted: list[object]) -> None:
    assert short(text) == wanted


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("Bring me the tea from the far counter.", "far counter"),
        ("Bin the tea that's on the table.", "table"),
        ("Put everything on the table in the trash.", "table"),
        ("Move the tea from the table to the counter.", "table"),
        ("The tea from the counter belongs on the table.", "counter"),
        ("Bring me the tea.", ""),
    ],
)
def test_where_things_are_now(text: str, source: str) -> None:
    assert [errand.source for errand in read_errands(text, KITCHEN)] == [source]


def test_each_errand_has_plain_words_for_the_language_model() -> None:
    texts = [errand.text for errand in read_errands("Can you bring me a salty snack and the apple, and chuck the coke?", KITCHEN)]
    assert texts == ["Bring me a salty snack.", "Bring me the apple.", "Throw away the coke can."]


def test_words_that_are_not_understood_are_left_to_the_language_model() -> None:
    salty, all_salty, every = (
        read_errands(text, KITCHEN)[0]
        for text in ("My head aches. Fetch me a salty snack?", "Bring me all the salty snacks.", "Bring me all the old snacks.")
    )
    assert salty.text == "My head aches. Fetch me a salty snack?"
    assert (all_salty.text, all_salty.one_by_one) == ("Bring me all the salty snacks.", "")
    assert every.one_by_one == "Bring me {thing}."


@pytest.mark.parametrize(
    ("said", "meant"),
    [("brign", "bring"), ("cuonter", "counter"), ("spnge", "sponge"), ("countter", "counter"), ("grapefroit", "grapefruit")],
)
def test_slips(said: str, meant: str) -> None:
    assert is_slip(said, meant)
    assert mended(f"A {said}!", KITCHEN.vocabulary if meant != "sponge" else replace(KITCHEN.vocabulary, names={"sponge": "sponge"})) == (
        f"A {meant}!"
    )


@pytest.mark.parametrize(("said", "meant"), [("later", "water"), ("apply", "apple"), ("being", "bring"), ("able", "table")])
def test_other_words_are_no_slips(said: str, meant: str) -> None:
    assert not is_slip(said, meant)


WORDS = [*(word for verb in KITCHEN.vocabulary.verbs for word in verb.words), *KITCHEN.vocabulary.names, *KITCHEN.vocabulary.kinds]
WORDS += ["clear", "me", "a", "the", "apple", "and", ",", ".", "not", "on", "off", "from", "table", "two", "all", "it", "go"]


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
