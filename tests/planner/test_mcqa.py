"""Multiple choice: a preference for letters or places in the list cancels, one for an option does not."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seesay.messages import Objects
from seesay.planner.language import LanguageScorer, ScriptedScorer
from seesay.planner.mcqa import UNLISTED, MultipleChoice, question
from seesay.planner.saycan import SayCan
from seesay.planner.skills import load_library
from tests.planner.things import S, order
from tests.planner.tiny import PHRASES, SHORT

FOUR = ["find a tea", "find a coke can", "go to the table", "done"]


def listed(context: str) -> dict[str, str]:
    """Letter -> option of a question."""
    return dict(line.split(") ", 1) for line in context.split("\n") if line[1:3] == ") ")


def answering(prefers: Callable[[str, str], float], phrases: dict[str, float] | None = None) -> ScriptedScorer:
    """A model that scores phrases by a table (all alike without) and letters by `prefers(letter, option)`."""

    def say(context: str, phrase: str) -> float:
        options = listed(context)
        return prefers(phrase, options[phrase]) if options else (phrases or {}).get(phrase, -3.0)

    return ScriptedScorer(say)


def biased(letter: str, option: str = "") -> float:
    """A whatever it says, then B, ..."""
    return -5.0 * (ord(letter) - ord("A")) - 0.001


def test_a_preference_for_letters_leaves_all_options_equal() -> None:
    got = MultipleChoice(answering(biased)).score("1. ", FOUR)
    assert got == pytest.approx([math.log(0.25)] * 4)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_each_option_stands_once_at_each_letter(size: int) -> None:
    model = answering(biased)
    MultipleChoice(model).score("1. ", FOUR[:size])
    seen = [pair for context, _ in model.calls[1:] for pair in listed(context).items()]
    assert sorted(seen) == sorted(itertools.product("ABCD"[:size], FOUR[:size]))


@pytest.mark.parametrize("turned", list(itertools.permutations(FOUR)))
def test_the_option_that_the_model_prefers_wins_in_every_order(turned: tuple[str, ...]) -> None:
    """Though it prefers A by far more; how much it prefers the option is what is left."""
    model = answering(lambda letter, option: biased(letter) + (2.0 if option == "find a tea" else 0.0) - 3.0)
    got = dict(zip(turned, MultipleChoice(model).score("1. ", turned), strict=True))
    assert max(got, key=lambda phrase: got[phrase]) == "find a tea"
    assert [got["find a tea"] - got[other] for other in FOUR[1:]] == pytest.approx([2.0] * 3)


def test_what_is_not_listed_shares_one_option_by_probability() -> None:
    """Of six phrases two are listed; the letter of the rest has half of all."""
    table = {f"step {n}": -float(n) for n in range(6)}
    model = answering(lambda letter, option: math.log(0.5 if option == UNLISTED else 0.25), table)
    got = np.exp(MultipleChoice(model, listed=2).score("1. ", list(table)))
    rest = np.exp([-2.0, -3.0, -4.0, -5.0])
    assert got.tolist() == pytest.approx([0.25, 0.25, *(0.5 * rest / rest.sum())])
    assert set(listed(model.calls[1][0]).values()) == {"step 0", "step 1", UNLISTED}


@given(st.lists(st.floats(-30, 0), min_size=1, max_size=9), st.randoms())
def test_shares_sum_to_one_and_order_changes_nothing(scores: list[float], rng: Any) -> None:
    table = {f"step {n}": score for n, score in enumerate(scores)}
    choice = MultipleChoice(answering(lambda letter, option: biased(letter) - len(option), table))
    first = dict(zip(table, choice.score("1. ", list(table)), strict=True))
    assert sum(map(math.exp, first.values())) == pytest.approx(1.0)
    turned = rng.sample(list(table), len(table))
    assert choice.score("1. ", turned) == [first[phrase] for phrase in turned]


def test_degenerate_lists() -> None:
    choice = MultipleChoice(answering(biased, {"never": -math.inf}))
    assert choice.score("1. ", []) == []
    assert choice.score("1. ", ["done"]) == [0.0]
    assert choice.score("1. ", ["done", "done", "find a tea"]) == pytest.approx([math.log(0.5)] * 3)
    assert choice.score("1. ", ["never", "done"]) == [-math.inf, 0.0]
    assert choice.score("1. ", ["never"]) == [-math.inf]
    sure = MultipleChoice(answering(lambda letter, option: 0.0 if option == "done" else -2000.0))
    assert all(map(math.isfinite, sure.score("1. ", ["done", "find a tea"])))


def test_the_question_that_is_asked() -> None:
    assert question("Robot: 1. find a tea\n2. ", ["pick up the tea", "done"]) == (
        "Robot: 1. find a tea\n2. which?\nA) pick up the tea\nB) done\nWhich option is correct? Answer with a single letter.\nAnswer: "
    )


def test_a_local_model_answers(scorer: Any) -> None:
    """Its vocabulary knows no letters but a, b, c, so that all options are alike to it but for their places."""
    choice = MultipleChoice(scorer)
    assert isinstance(choice, LanguageScorer)
    assert choice.name.endswith("(mcqa)")
    got = np.exp(choice.score(SHORT, PHRASES, "."))
    assert got.sum() == pytest.approx(1.0)
    assert choice.score(SHORT, PHRASES, ".") == pytest.approx(np.log(got).tolist(), abs=1e-4)


def test_in_the_planner(table: Objects) -> None:
    """Combined with affordances as any scorer: what is not seen is neither listed nor chosen."""
    wanted = "pick up the red block and place it in the green bowl"
    model = answering(lambda letter, option: biased(letter) + (2.0 if option == wanted else 0.0) - 3.0, {wanted: -2.0})
    step = SayCan(load_library("tabletop"), MultipleChoice(model)).decide(order("put the red block in the green bowl"), [], table, 10 * S)
    assert step.choice is not None
    assert step.candidates[step.choice].phrase == wanted
    assert not any("pink" in option for context, _ in model.calls for option in listed(context).values())
