"""Quantifiers, orders and sequences: what instructions mean on a table, and where the grammar gives way to the language model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seesay.planner.expansion import Unseen, expand
from seesay.planner.phrases import NounPhrase, Words
from seesay.planner.reading import read
from seesay.planner.scene import Unclear
from tests.planner.paraphrases import FILE, LIBRARY, as_meant, means, table
from tests.planner.things import scene, thing

WORDS = st.sampled_from(["put", "all", "the", "blocks", "except", "red", "bowl", "in", "and", "then", "different", "corners", "it", ","])
BLOCKS = ["red block", "blue block"]


@pytest.mark.parametrize(("text", "meaning"), [*FILE["development"].items(), *FILE["held_out"].items()])
def test_instructions_of_our_own(text: str, meaning: str) -> None:
    assert as_meant(text, meaning, FILE["objects"])


@given(st.text("put all the blocks except red bowl in and then corners", max_size=60) | st.lists(WORDS, max_size=14).map(" ".join))
def test_any_words_are_read_or_left_alone(text: str) -> None:
    with contextlib.suppress(Unclear, Unseen):
        expand(read(text, LIBRARY) or (), LIBRARY, table(FILE["objects"]), FILE["objects"])


@pytest.mark.parametrize("unit", ["red but block and ", "block and red but ", "block but block and ", "block, "])
def test_work_for_a_hostile_instruction_is_bounded(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []
    attempt = Words.attempt

    def counted(words: Words, parse: Callable[[], list[NounPhrase]]) -> list[NounPhrase]:
        attempts.append(words.at)
        return attempt(words, parse)

    monkeypatch.setattr(Words, "attempt", counted)
    assert read("put " + unit * 20 + "zzz", LIBRARY) is None
    assert len(attempts) < 200


def test_things_that_are_at_a_corner_stay_there() -> None:
    corner = LIBRARY.places["top left corner"]
    objects = scene(thing(1, "red block", 0.1, 0.05), thing(2, "blue block", corner[0] + 0.01, corner[1]))
    goals = expand(read("put the blocks in different corners", LIBRARY) or (), LIBRARY, objects, BLOCKS)
    assert {(goal.thing, goal.place) for goal in goals} == {("blue block", "top left corner"), ("red block", "top right corner")}


def test_a_taken_corner_is_no_free_one() -> None:
    corner = LIBRARY.places["top left corner"]
    objects = scene(thing(1, "red block", -0.1, 0.1), thing(2, "green bowl", corner[0], corner[1], size=0.12))
    (goal,) = expand(read("move the red block to a corner", LIBRARY) or (), LIBRARY, objects, ["red block", "green bowl"])
    assert goal.place == "bottom left corner"


def test_a_stack_is_built_on_what_stands_already() -> None:
    objects = scene(thing(1, "red block", 0.1, 0.0, 0.065), thing(2, "blue block", 0.1, 0.0, 0.02), thing(3, "green block", 0.0, 0.0))
    goals = expand(read("stack all the blocks", LIBRARY) or (), LIBRARY, objects, [*BLOCKS, "green block"])
    assert [goal.text for goal in goals] == ["stack the red block on the blue block", "stack the green block on the red block"]


def test_clearing_moves_what_is_there_to_free_places() -> None:
    objects = scene(thing(1, "red block", 0.01, 0.0), thing(2, "blue block", 0.1, 0.1), thing(3, "green block", -0.17, 0.12))
    (goal,) = expand(read("clear the middle", LIBRARY) or (), LIBRARY, objects, [*BLOCKS, "green block"])
    assert goal.thing == "red block"
    assert goal.place in ("top right corner", "bottom left corner", "bottom right corner")


def test_a_round_begins_beside_the_thing_and_ends_where_it_was() -> None:
    objects = scene(thing(1, "red block", -0.17, 0.12))
    goals = expand(read("clockwise, take the red block to every corner", LIBRARY) or (), LIBRARY, objects, ["red block"])
    assert [goal.place for goal in goals] == ["top right corner", "bottom right corner", "bottom left corner", "top left corner"]
    assert all(goal.passing for goal in goals)


def test_which_one_is_asked_and_what_is_missing_is_named() -> None:
    clauses = read("put the block in the green bowl", LIBRARY)
    assert clauses
    with pytest.raises(Unclear, match="which block is meant"):
        expand(clauses, LIBRARY, table(FILE["objects"]), FILE["objects"])
    with pytest.raises(Unseen, match="block"):
        expand(clauses, LIBRARY, scene(), [])


def test_one_thing_that_the_library_has_once_need_not_be_seen() -> None:
    goals = means("put the green block in the red bowl", ["red block"])
    assert goals is not None
    assert [goal.text for goal in goals] == ["put the green block in the red bowl"]


def test_other_names_need_no_other_grammar() -> None:
    library = LIBRARY.with_objects(blocks=["striped tile", "white tile"], bowls=["oval tray"])
    goals = expand(read("put all tiles in the oval tray", library) or (), library, scene(), ["striped tile", "white tile", "oval tray"])
    assert [goal.text for goal in goals] == ["put the striped tile in the oval tray", "put the white tile in the oval tray"]
