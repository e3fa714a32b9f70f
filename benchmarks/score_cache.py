"""Scores of a language model that conditions and later runs share: each is computed once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from seesay.planner.language import LanguageScorer


class Remembering:
    """A scorer that asks another one only once for the same context: the conditions share histories, so they share scores."""

    def __init__(self, scorer: LanguageScorer, everything: Sequence[str], keep: Path | None = None) -> None:
        """everything: phrases that are scored together for each context. keep: file that the scores of later runs are read from too."""
        self._scorer, self._everything, self._keep = scorer, tuple(everything), keep
        self._known: dict[str, list[float]] = {}
        self.asked = 0
        for line in keep.read_text().splitlines() if keep and keep.exists() else ():
            if line.endswith("}"):  # the last line of a run that was stopped may be cut off
                row = json.loads(line)
                self._known[row["key"]] = row["log_p"]

    @property
    def name(self) -> str:
        return self._scorer.name

    def warm(self, context: str) -> None:
        self._scorer.warm(context)

    def score(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[float]:
        wanted = self._everything if set(phrases) <= set(self._everything) else tuple(phrases)
        key = hashlib.sha256("\0".join([self.name, context, terminator, *wanted]).encode()).hexdigest()[:32]
        if key not in self._known:
            self.asked += 1
            self._known[key] = [round(value, 6) for value in self._scorer.score(context, wanted, terminator)]
            if self._keep:
                with self._keep.open("a") as file:
                    file.write(json.dumps({"key": key, "log_p": self._known[key]}) + "\n")
        return [self._known[key][wanted.index(phrase)] for phrase in phrases]
