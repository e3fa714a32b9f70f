"""How probable a language model finds each skill phrase: the `say` of SayCan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
