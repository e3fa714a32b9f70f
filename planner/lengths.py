"""What a phrase's length does to its score: SayCan's sum of log-probabilities, or one of three corrections."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, Protocol, get_args, runtime_checkable

from seesay.errors import ConfigError
from seesay.planner.language import LanguageScorer
from seesay.planner.prompt import neutral_context

Length = Literal["sum", "mean_token", "per_byte", "pmi"]


_LEAST = -1e6
"""Stands for the log-probability of what a neutral prompt rules out."""


@runtime_checkable
class TokenScorer(LanguageScorer, Protocol):
    """A scorer that also tells the log-probability of each token."""

    def score_tokens(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[tuple[float, ...]]:
        """Natural log p of every token of each phrase with its terminator; `score` is their sum."""


class LengthScorer:
    """Another scorer's log-probabilities, divided by length or set against a neutral prompt.

    mean_token: divided by the number of tokens, terminator included; per_byte: by the number of UTF-8 bytes, terminator included;
    pmi: minus a share of log p(phrase + terminator | neutral prompt), then shifted so that the best phrase has 0, as scores are never
    above it: only differences among the phrases of one call mean anything. It takes away how common a phrase is by itself (Holtzman et
    al., arXiv:2104.08315) as far as that is open: the share is the probability that two draws from the neutral prompt differ, about 0
    where one step follows from the last whatever was asked for.
    No longer the log-probability of a phrase: a temperature fitted to sums does not fit these, and best-first search is not valid.
    """

    def __init__(self, scorer: LanguageScorer, length: Length, neutral: Callable[[str], str] = neutral_context) -> None:
        """neutral: the neutral prompt of `pmi` for a context.

        Raises ConfigError if `length` is no policy, or is mean_token and the scorer tells no tokens.
        """
        if length not in get_args(Length):
            raise ConfigError(f"expected a length policy of {', '.join(get_args(Length))}, got {length!r}; correct the planner's settings")
        self._tokens = scorer if isinstance(scorer, TokenScorer) else None
        if length == "mean_token" and self._tokens is None:
            raise ConfigError(f"expected a model that tells the tokens of a phrase for mean_token, got {scorer.name}; take per_byte")
        self.length: Length = length
        self._scorer = scorer
        self._neutral = neutral
        self._alone: dict[tuple[str, str, str], float] = {}

    @property
    def name(self) -> str:
        return self._scorer.name if self.length == "sum" else f"{self._scorer.name} ({self.length})"

    def warm(self, context: str) -> None:
        """As the other scorer."""
        self._scorer.warm(context)

    def score(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[float]:
        """The corrected score of each phrase: finite or -inf, never above 0."""
        policies: dict[Length, Callable[[str, Sequence[str], str], list[float]]] = {
            "sum": self._scorer.score, "mean_token": self._mean_token, "per_byte": self._per_byte, "pmi": self._pmi,
        }  # fmt: skip
        return policies[self.length](context, phrases, terminator)

    def _mean_token(self, context: str, phrases: Sequence[str], terminator: str) -> list[float]:
        rows = self._tokens.score_tokens(context, phrases, terminator) if self._tokens else []
        return [min(sum(tokens) / len(tokens), 0.0) for tokens in rows]

    def _per_byte(self, context: str, phrases: Sequence[str], terminator: str) -> list[float]:
        scores = self._scorer.score(context, phrases, terminator)
        return [score / len((phrase + terminator).encode()) for score, phrase in zip(scores, phrases, strict=True)]

    def _pmi(self, context: str, phrases: Sequence[str], terminator: str) -> list[float]:
        neutral = self._neutral(context)
        new = [phrase for phrase in dict.fromkeys(phrases) if (neutral, phrase, terminator) not in self._alone]
        for phrase, log_p in zip(new, self._scorer.score(neutral, new, terminator) if new else [], strict=True):
            self._alone[neutral, phrase, terminator] = log_p
        alone = [self._alone[neutral, phrase, terminator] for phrase in phrases]
        weight = _undecided(alone)
        scores = self._scorer.score(context, phrases, terminator)
        gains = [score - weight * max(usual, _LEAST) for score, usual in zip(scores, alone, strict=True)]
        top = max(gains, default=0.0)
        return [_minus(gain, top) for gain in gains]


def _undecided(log_p: Sequence[float]) -> float:
    """Probability that two draws from a distribution differ (Gini's impurity), 0 to 1. log_p: natural logs, not normalised."""
    top = max(log_p, default=-math.inf)
    shares = [math.exp(value - top) for value in log_p] if top > -math.inf else []
    return 1.0 - sum(share**2 for share in shares) / sum(shares) ** 2 if shares else 0.0


def _minus(one: float, other: float) -> float:
    """The difference; -inf stays -inf."""
    return one if one == -math.inf else one - other
