"""Phrases as the lettered answers of a multiple-choice question, as KnowNo asks it (Ren et al. 2023, arXiv:2307.01928, section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from string import ascii_uppercase

from seesay.planner.language import LanguageScorer

UNLISTED = "an option not listed here"
_LEAST = -1e6
"""Stands for the log-probability of a letter that is ruled out."""


class MultipleChoice:
    """LanguageScorer whose confidence in a phrase is the probability of its letter as the next token.

    The phrases that another scorer finds most probable are listed after the context as A, B, C, ..., and one option more for all others,
    whose share is divided among them in proportion to their own probabilities: the shares of all phrases sum to 1. Small models prefer
    a letter or a place in the list whatever stands there (Zheng et al. 2024, arXiv:2309.03882), so the list is asked about in all its
    rotations, each option standing once at each letter, and the log-probabilities of an option's letters are averaged: what a letter
    has by itself is in every mean alike and cancels, whatever the options.
    No log-probability of a phrase: a temperature fitted to sums does not fit it, and best-first search is not valid.
    """

    def __init__(self, scorer: LanguageScorer, listed: int = 4) -> None:
        """listed: most phrases in the list, 1 to 25; KnowNo has 4 and the one for all others."""
        self._scorer = scorer
        self._listed = listed

    @property
    def name(self) -> str:
        return f"{self._scorer.name} (mcqa)"

    def warm(self, context: str) -> None:
        """As the other scorer."""
        self._scorer.warm(context)

    def score(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[float]:
        """Natural log of each phrase's share, at most 0; -inf for what the other scorer rules out. Equal phrases have one share."""
        log_p = dict(zip(phrases, self._scorer.score(context, phrases, terminator), strict=True))
        possible = sorted((phrase for phrase in log_p if log_p[phrase] > -math.inf), key=lambda phrase: (-log_p[phrase], phrase))
        listed, others = possible[: self._listed], possible[self._listed :]
        options = [*listed, UNLISTED] if others else listed
        found = dict(zip(options, self._ask(context, options), strict=True))
        if others:
            whole = _log_sum([log_p[phrase] for phrase in others])
            found |= {phrase: found[UNLISTED] + log_p[phrase] - whole for phrase in others}
        return [min(found.get(phrase, -math.inf), 0.0) for phrase in phrases]

    def _ask(self, context: str, options: Sequence[str]) -> list[float]:
        """Natural log of each option's share of the answers, over all rotations of the list."""
        size = len(options)
        answers = [0.0] * size
        for turn in range(size):
            order = [(turn + at) % size for at in range(size)]
            log_p = self._scorer.score(question(context, [options[i] for i in order]), list(ascii_uppercase[:size]), "")
            for i, value in zip(order, log_p, strict=True):
                answers[i] += max(value, _LEAST) / size
        return [answer - _log_sum(answers) for answer in answers]


def _log_sum(log_p: Sequence[float]) -> float:
    """Natural log of the sum of some probabilities, the greatest of them above 0."""
    top = max(log_p)
    return top + math.log(sum(math.exp(value - top) for value in log_p))


def question(context: str, options: Sequence[str]) -> str:
    """The context of a next step with the lettered options and KnowNo's question after it; a letter is expected next."""
    rows = [f"{letter}) {option}\n" for letter, option in zip(ascii_uppercase, options, strict=False)]
    return f"{context}which?\n{''.join(rows)}Which option is correct? Answer with a single letter.\nAnswer: "
