"""Errands: what an instruction plainly says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seesay.planner.errands import read_errands
from seesay.planner.pursuit import Pursuit, agenda_of
from seesay.planner.skills import load_library
from seesay.planner.wording import is_slip, mended

KITCHEN = load_library("kitchen")

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
