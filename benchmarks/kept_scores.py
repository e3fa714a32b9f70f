"""A language model whose scores are kept: what has been asked once is not asked again, by another condition or by a later run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from seesay.planner.language import LanguageScorer


class KeptScores:
    """A LanguageScorer that asks the model which `load` makes only for prompts that are not known yet."""

    def __init__(self, name: str, load: Callable[[], LanguageScorer], path: Path | None = None, together: Sequence[str] = ()) -> None:
        """name: scores of models by other names are not used. path: file that the scores of later runs are read from, None for this run
        only. together: phrases that are all scored where some of them are asked for, so that conditions with other options share them."""
        self.name = name
        self.asked = 0
        self._load, self._path, self._together = load, path, tuple(together)
        self._model: LanguageScorer | None = None
        text = path.read_text() if path and path.exists() else ""
        if path and text and not text.endswith("\n"):   # a run was stopped while it wrote
            path.write_text(text := text[: text.rfind("\n") + 1])
        rows = [json.loads(line) for line in text.splitlines()]
        self._known: dict[str, list[float]] = {row["key"]: row["log_p"] for row in rows}

    def score(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[float]:
        """As the model; see `LanguageScorer.score`."""
        wanted = self._together if set(phrases) <= set(self._together) else tuple(phrases)
        key = hashlib.sha256("\0".join([self.name, context, terminator, *wanted]).encode()).hexdigest()[:32]
        if key not in self._known:
            self.asked += 1
            self._model = self._model or self._load()
            self._known[key] = [round(value, 6) for value in self._model.score(context, wanted, terminator)]
            if self._path:
                with self._path.open("a") as file:
                    file.write(json.dumps({"key": key, "log_p": self._known[key]}) + "\n")
        return [self._known[key][wanted.index(phrase)] for phrase in phrases]

    def warm(self, context: str) -> None:
        """Nothing to prepare: the model may never be needed."""
