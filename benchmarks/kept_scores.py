"""A language model whose scores are kept on disk: what has been asked once is never asked again, in this run or a later one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from seesay.planner.language import LanguageScorer


class KeptScores:
    """A LanguageScorer that asks the model which `load` makes only for prompts and phrases that the file `path` lacks."""

    def __init__(self, name: str, load: Callable[[], LanguageScorer], path: Path) -> None:
        self.name = name
        self._load, self._path = load, path
        self._model: LanguageScorer | None = None
        lines = path.read_text().splitlines() if path.exists() else []
        rows = [json.loads(line) for line in lines if line.endswith("}")]
        self._known: dict[str, list[float]] = {row["asked"]: row["log_p"] for row in rows}

    def score(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[float]:
        """As the model; see `LanguageScorer.score`."""
        asked = hashlib.sha256("\0".join([self.name, context, terminator, *phrases]).encode()).hexdigest()[:32]
        if asked not in self._known:
            self._model = self._model or self._load()
            self._known[asked] = [round(value, 5) for value in self._model.score(context, phrases, terminator)]
            with self._path.open("a") as file:
                file.write(json.dumps({"asked": asked, "log_p": self._known[asked]}) + "\n")
        return self._known[asked]

    def warm(self, context: str) -> None:
        """Nothing to prepare: the model may never be needed."""
