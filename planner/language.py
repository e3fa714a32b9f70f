"""How probable a language model finds each skill phrase: the `say` of SayCan."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@runtime_checkable
class LanguageScorer(Protocol):
    """Scores phrases as continuations of a context."""

    @property
    def name(self) -> str:
        """What to call the model in reports."""

    def score(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[float]:
        """Natural log p(phrase + terminator | context) of each phrase, in order; finite or -inf, never above 0.

        The terminator is what ends a phrase in the prompt's format: without it a phrase that is a prefix of another would always
        win over it. The probability is that of the whole phrase (SayCan, arXiv:2204.01691, section 3), not divided by length.
        """

    def warm(self, context: str) -> None:
        """Prepare for contexts that start with this text; changes no score."""


@dataclass(frozen=True)
class Best:
    """The best of several phrases. index: None if all are impossible.

    log_p: natural log-probability of each phrase where `exact`, else an upper bound that suffices to know that it is not the best.
    """

    index: int | None
    log_p: tuple[float, ...]
    exact: tuple[bool, ...]


@runtime_checkable
class SearchingScorer(LanguageScorer, Protocol):
    """A scorer that finds the best phrase without scoring all."""

    def best(self, context: str, phrases: Sequence[str], log_weights: Sequence[float], terminator: str = "\n") -> Best:
        """See `best_of`."""


def best_of(
    scorer: LanguageScorer, context: str, phrases: Sequence[str], log_weights: Sequence[float], terminator: str = "\n"
) -> Best:
    """The phrase with the greatest log p(phrase + terminator | context) + weight, by the scorer's own search where it has one.

    log_weights: natural log of what multiplies each probability, one per phrase; -inf rules a phrase out, which is then not scored.
    Ties go to the phrase that comes first; two phrases that differ by less than float32 rounding (about 1e-5) count as tied.
    """
    wanted = [i for i, weight in enumerate(log_weights) if weight > -math.inf]
    chosen, weights = [phrases[i] for i in wanted], [log_weights[i] for i in wanted]
    if isinstance(scorer, SearchingScorer) and wanted:
        found = scorer.best(context, chosen, weights, terminator)
    else:
        got = scorer.score(context, chosen, terminator) if wanted else []
        totals = [log_p + weight for log_p, weight in zip(got, weights, strict=True)]
        top = max(totals, default=-math.inf)
        found = Best(totals.index(top) if top > -math.inf else None, tuple(got), (True,) * len(got))
    log_p, exact = [0.0] * len(phrases), [False] * len(phrases)
    for i, value, known in zip(wanted, found.log_p, found.exact, strict=True):
        log_p[i], exact[i] = value, known
    return Best(None if found.index is None else wanted[found.index], tuple(log_p), tuple(exact))


class ScriptedScorer:
    """Scores from a table or a function, for tests and for exercising a system without a language model.

    table: log-probability by phrase, or a function of (context, phrase). default: score of phrases that a mapping lacks.
    `calls` holds the (context, phrases) of each call.
    """

    name = "scripted"

    def __init__(self, table: Mapping[str, float] | Callable[[str, str], float], default: float = -20.0) -> None:
        self._table = table
        self._default = default
        self.calls: list[tuple[str, tuple[str, ...]]] = []

    def score(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[float]:
        """Scores as scripted; `terminator` is not used."""
        self.calls.append((context, tuple(phrases)))
        if callable(self._table):
            return [self._table(context, phrase) for phrase in phrases]
        return [self._table.get(phrase, self._default) for phrase in phrases]

    def warm(self, context: str) -> None:
        """Nothing to prepare."""
