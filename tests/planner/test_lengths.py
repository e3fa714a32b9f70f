"""Length policies: what they change, and that none gives more than it has."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from seesay.errors import ConfigError
from seesay.planner import prompt
from seesay.planner.language import LanguageScorer, ScriptedScorer, SearchingScorer
from seesay.planner.lengths import Length, LengthScorer, TokenScorer
from seesay.planner.prompt import Dialogue, StepRecord, neutral_context
from seesay.planner.skills import load_library
from tests.planner.tiny import PHRASES, SHORT, close

NEUTRAL = "Robot : 1 . "


@pytest.mark.parametrize("length", ["sum", "mean_token", "per_byte", "pmi"])
def test_each_policy_by_hand(scorer: Any, length: Length) -> None:
    assert isinstance(scorer, TokenScorer)
    tokens = scorer.score_tokens(SHORT, PHRASES, ".")
    sums, neutral = [sum(row) for row in tokens], scorer.score(NEUTRAL, PHRASES, ".")
    shares = np.exp(neutral) / np.sum(np.exp(neutral))
    gains = [a - (1.0 - np.sum(shares**2)) * b for a, b in zip(sums, neutral, strict=True)]
    expected = {
        "sum": sums,
        "mean_token": [total / len(row) for total, row in zip(sums, tokens, strict=True)],
        "per_byte": [total / (len(phrase) + 1) for total, phrase in zip(sums, PHRASES, strict=True)],
        "pmi": [gain - max(gains) for gain in gains],
    }[length]
    policy = LengthScorer(scorer, length, lambda context: NEUTRAL)
    assert isinstance(policy, LanguageScorer)
    assert not isinstance(policy, SearchingScorer)
    assert close(policy.score(SHORT, PHRASES, "."), expected)
    assert max(policy.score(SHORT, PHRASES, ".")) <= 0.0
    assert policy.score(SHORT, [], ".") == []


def test_a_token_counts_once_whatever_the_company(scorer: Any) -> None:
    lengths = [len(row) for row in scorer.score_tokens(SHORT, ["done", "pick up the coke", "pick up the coke can"], ".")]
    assert lengths == [2, 5, 6]


def test_the_mean_prefers_the_longer_phrase_and_the_sum_the_shorter() -> None:
    class Tokens(ScriptedScorer):
        def score_tokens(self, context: str, phrases: Any, terminator: str = "\n") -> list[tuple[float, ...]]:
            return [(self.score(context, [phrase])[0] / len(phrase.split()),) * len(phrase.split()) for phrase in phrases]

    scripted = Tokens({"sit": -1.5, "go to the far counter": -3.0})
    both = ["sit", "go to the far counter"]
    assert LengthScorer(scripted, "sum").score("", both) == [-1.5, -3.0]
    assert LengthScorer(scripted, "mean_token").score("", both) == [-1.5, pytest.approx(-0.6)]


def test_bytes_are_those_of_utf8() -> None:
    assert LengthScorer(ScriptedScorer({}, -11.0), "per_byte").score("", ["isn\u2019t", "abcdefghij"]) == [-11.0 / 8, -1.0]


def test_pmi_takes_off_what_is_said_anyway_once_asked() -> None:
    """Two phrases that a neutral prompt finds equally probable but for a factor of 3: a fair share of it is taken off."""
    alone = {"a": math.log(0.75), "b": math.log(0.25)}
    scripted = ScriptedScorer(lambda context, phrase: alone[phrase] if context == NEUTRAL else -3.0)
    policy = LengthScorer(scripted, "pmi", lambda context: NEUTRAL)
    share = 1.0 - 0.75**2 - 0.25**2
    for _ in range(3):
        assert policy.score("x", ["a", "b"]) == pytest.approx([-share * math.log(3.0), 0.0])
    assert [context for context, _ in scripted.calls] == [NEUTRAL, "x", "x", "x"]


def test_pmi_leaves_what_follows_whatever_is_asked() -> None:
    anyway, asked = {"a": -1e-9, "b": -30.0}, {"a": -0.1, "b": -2.4}
    scripted = ScriptedScorer(lambda context, phrase: (anyway if context == NEUTRAL else asked)[phrase])
    assert LengthScorer(scripted, "pmi", lambda context: NEUTRAL).score("x", ["a", "b"]) == pytest.approx([0.0, -2.3], abs=1e-6)


def test_the_neutral_prompt_of_a_dialogue() -> None:
    dialogue = Dialogue(load_library("kitchen"))
    steps = [StepRecord("find a tea"), StepRecord("pick up the tea", False)]
    for some in ([], steps[:1], steps):
        assert neutral_context(dialogue.context("Bring me a tea.", some)) == dialogue.context(prompt.NEUTRAL, some[-1:])
    bare = Dialogue(replace(dialogue.library, introduction="", examples=()))
    assert neutral_context(bare.context("Bring me a tea.", steps)) == "Human: Help me.\nRobot: 1. pick up the tea (failed)\n2. "
    assert neutral_context("no dialogue") == "Robot: 1. "


def test_impossible_phrases_stay_impossible() -> None:
    scripted = ScriptedScorer({"a": -math.inf, "b": -2000.0})
    for length in ("per_byte", "pmi"):
        got = LengthScorer(scripted, length).score("", ["a", "b"])
        assert got[0] == -math.inf
        assert math.isfinite(got[1])
        assert LengthScorer(scripted, length).score("", ["a"]) == [-math.inf]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected a length policy of sum, mean_token, per_byte, pmi, got 'chars'"):
        LengthScorer(ScriptedScorer({}), "chars")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="take per_byte"):
        LengthScorer(ScriptedScorer({}), "mean_token")
