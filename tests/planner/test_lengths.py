"""Length policies: what they change, and that none gives more than it has."""

from __future__ import annotations

import math
from typing import Any

import pytest

from seesay.errors import ConfigError
from seesay.planner.language import LanguageScorer, ScriptedScorer, SearchingScorer
from seesay.planner.lengths import Length, LengthScorer, TokenScorer
from tests.planner.tiny import PHRASES, SHORT, close

NEUTRAL = "Robot : 1 . "


@pytest.mark.parametrize("length", ["sum", "mean_token", "per_byte", "pmi"])
def test_each_policy_by_hand(scorer: Any, length: Length) -> None:
    assert isinstance(scorer, TokenScorer)
    tokens = scorer.score_tokens(SHORT, PHRASES, ".")
    sums, neutral = [sum(row) for row in tokens], scorer.score(NEUTRAL, PHRASES, ".")
    gains = [a - b for a, b in zip(sums, neutral, strict=True)]
    expected = {
        "sum": sums,
        "mean_token": [total / len(row) for total, row in zip(sums, tokens, strict=True)],
        "per_byte": [total / (len(phrase) + 1) for total, phrase in zip(sums, PHRASES, strict=True)],
        "pmi": [gain - max(gains) for gain in gains],
    }[length]
    policy = LengthScorer(scorer, length, NEUTRAL)
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


def test_pmi_asks_for_the_neutral_prompt_once() -> None:
    scripted = ScriptedScorer(lambda context, phrase: {"a": -9.0, "b": -2.0}[phrase] if context == NEUTRAL else -3.0)
    policy = LengthScorer(scripted, "pmi", NEUTRAL)
    for _ in range(3):
        assert policy.score("x", ["a", "b"]) == [0.0, -7.0]
    assert [context for context, _ in scripted.calls] == [NEUTRAL, "x", "x", "x"]


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
