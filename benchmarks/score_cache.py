"""A language model whose every score is kept on disk: conditions and later runs that meet the same prompt ask it once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from seesay.planner.lengths import TokenScorer


class ScoreCache:
    """`seesay.planner.lengths.TokenScorer` with all of `phrases` scored at once for each context, and kept in `path`.

    load: makes the model, called when the first unknown context comes. Close it.
    """

    def __init__(self, name: str, load: Callable[[], TokenScorer], phrases: Sequence[str], path: Path) -> None:
        self.name = name
        self._load = load
        self._model: TokenScorer | None = None
        self._phrases = tuple(phrases)
        self._index = {phrase: i for i, phrase in enumerate(self._phrases)}
        self._known: dict[str, list[list[float]]] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                if line.endswith("}"):
                    row = json.loads(line)
                    self._known[row["prompt"]] = row["tokens"]
        self._file = path.open("a")
        self.decisions = 0

    def score_tokens(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[tuple[float, ...]]:
        key = hashlib.sha256("\0".join([self.name, context, terminator, *self._phrases]).encode()).hexdigest()[:32]
        if key not in self._known:
            self._model = self._model or self._load()
            rows = self._model.score_tokens(context, self._phrases, terminator)
            self._known[key] = [[round(value, 6) for value in row] for row in rows]
            self._file.write(json.dumps({"prompt": key, "tokens": self._known[key]}) + "\n")
            self._file.flush()
            self.decisions += 1
        return [tuple(self._known[key][self._index[phrase]]) for phrase in phrases]

    def score(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[float]:
        return [min(sum(tokens), 0.0) for tokens in self.score_tokens(context, phrases, terminator)]

    def warm(self, context: str) -> None:
        """Nothing to prepare: the model may never be needed."""

    def __enter__(self) -> ScoreCache:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
