"""A language model whose answers are kept: what has been asked once is not asked again, by another condition or by a later run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seesay.errors import ConfigError
from seesay.planner.language import LanguageScorer
from seesay.planner.lengths import TokenScorer


class Kept:
    """Answers by the hash of their question, one line of the file each."""

    def __init__(self, path: Path | None, field: str) -> None:
        """path: None for this run only. field: what the answer is called in a line."""
        self._path, self._field = path, field
        text = path.read_text() if path and path.exists() else ""
        if path and text and not text.endswith("\n"):   # a run was stopped while it wrote
            path.write_text(text := text[: text.rfind("\n") + 1])
        rows = [json.loads(line) for line in text.splitlines()]
        self._known: dict[str, Any] = {row["key"]: row[field] for row in rows}

    def get(self, question: Sequence[str], answer: Callable[[], Any]) -> Any:
        """The kept answer, or that of `answer`, which is then kept."""
        key = hashlib.sha256("\0".join(question).encode()).hexdigest()[:32]
        if key not in self._known:
            self._known[key] = answer()
            if self._path:
                with self._path.open("a") as file:
                    file.write(json.dumps({"key": key, self._field: self._known[key]}) + "\n")
        return self._known[key]


class KeptScores:
    """A LanguageScorer that asks the model which `load` makes only for prompts that are not known yet."""

    def __init__(self, name: str, load: Callable[[], LanguageScorer], path: Path | None = None, together: Sequence[str] = ()) -> None:
        """name: scores of models by other names are not used. path: file that the scores of later runs are read from, None for this run
        only. together: phrases that are all scored where some of them are asked for, so that conditions with other options share them."""
        self.name = name
        self.asked = 0
        self._load, self._kept, self._together = load, Kept(path, "log_p"), tuple(together)
        self._model: LanguageScorer | None = None
        self._tokens: dict[tuple[str, ...], list[int]] = {}

    def score(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[float]:
        """As the model; see `LanguageScorer.score`."""
        wanted = self._all(phrases)

        def ask() -> list[float]:
            self.asked += 1
            return [round(value, 6) for value in self._loaded().score(context, wanted, terminator)]

        log_p: list[float] = self._kept.get([self.name, context, terminator, *wanted], ask)
        return [log_p[wanted.index(phrase)] for phrase in phrases]

    def score_tokens(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[tuple[float, ...]]:
        """The kept sum of each phrase, divided evenly among as many tokens as it has: only sums are kept.

        How many there are is asked of the model once a run; in prompts of one format they do not depend on the rest of the context.
        Raises ConfigError if the model tells no tokens.
        """
        wanted = self._all(phrases)
        if (terminator, *wanted) not in self._tokens:
            model = self._loaded()
            if not isinstance(model, TokenScorer):
                raise ConfigError(f"expected a model that tells the tokens of a phrase, got {model.name}: take a local one")
            self._tokens[terminator, *wanted] = [len(row) for row in model.score_tokens(context, wanted, terminator)]
        sizes = [self._tokens[terminator, *wanted][wanted.index(phrase)] for phrase in phrases]
        return [(log_p / size,) * size for log_p, size in zip(self.score(context, phrases, terminator), sizes, strict=True)]

    def warm(self, context: str) -> None:
        """Nothing to prepare: the model may never be needed."""

    def _all(self, phrases: Sequence[str]) -> tuple[str, ...]:
        return self._together if set(phrases) <= set(self._together) else tuple(phrases)

    def _loaded(self) -> LanguageScorer:
        self._model = self._model or self._load()
        return self._model
