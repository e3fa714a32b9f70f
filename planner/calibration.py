"""Affordances as probabilities: a monotone table per skill, fitted on outcomes and kept beside the skills as data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from seesay.errors import SkillError


@dataclass(frozen=True)
class DoneRule:
    """The affordance of `done`, within 0 and 1.

    Where the goals are known: how likely one is reached that is taken to be (`reached`), and one that is not (`open`). A goal is taken to
    be reached when its relation is seen to hold, and where that cannot be told, when its step was reported to succeed.
    Where they are not: `after`, how often a task ends after a step of that skill ("" for before the first).
    """

    reached: float = 0.95
    open: float = 0.02
    after: Mapping[str, float] = field(default_factory=dict)

    def probability(self, reached: bool) -> float:
        """The affordance of `done`. reached: what the goal is taken for."""
        return self.reached if reached else self.open


@dataclass(frozen=True)
class Calibration:
    """tables: skill -> (raw estimates, share of runs that succeeded), both rising, in [0, 1]. figures: what the fit measured. done: the
    affordance of the end of a task. idle: how often a right step is one that the instruction plainly does not ask for. temperature: what
    the language model's log-probabilities are divided by, 1 in SayCan: a small model is surer than it is right."""

    tables: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]
    figures: Mapping[str, Any] = field(default_factory=dict)
    done: DoneRule = field(default_factory=DoneRule)
    idle: float = 0.02
    temperature: float = 1.0

    def __post_init__(self) -> None:
        rule = self.done
        if not 0.0 <= self.idle <= 1.0 or not (math.isfinite(self.temperature) and self.temperature > 0.0):
            got = f"{self.idle} and {self.temperature}"
            raise SkillError(f"calibration: expected idle within 0 and 1 and a temperature above 0, got {got}: fit it again")
        if not 0.0 <= rule.open < rule.reached <= 1.0 or not all(0.0 <= p <= 1.0 for p in rule.after.values()):
            raise SkillError(f"calibration of done: expected 0 <= open < reached <= 1 and after within 0 and 1, got {rule}: fit it again")
        for skill, (raw, share) in self.tables.items():
            good = len(raw) == len(share) > 0 and all(math.isfinite(x) and 0.0 <= x <= 1.0 for x in (*raw, *share))
            if not good or list(raw) != sorted(set(raw)) or list(share) != sorted(share):
                raise SkillError(f"calibration of {skill!r}: expected two equally long rising rows within 0 and 1: fit it again")

    def probability(self, skill: str, raw: float) -> float:
        """p(success) for a raw estimate in [0, 1]: interpolated between the fitted points, `raw` itself for a skill without a table.

        What is impossible (raw 0) stays so.
        """
        if raw <= 0.0 or skill not in self.tables:
            return raw
        return float(np.interp(raw, *self.tables[skill]))


def library_file(source: str | Path) -> Path:
    """The file of a skill library: the name of one that ships, or a path. What was fitted for it lies beside it."""
    return Path(__file__).parent / "libraries" / f"{source}.toml" if str(source).isidentifier() else Path(source)


def load_calibration(path: Path) -> Calibration | None:
    """The calibration beside a skill file, None if there is none. Raises SkillError that names the file and what is wrong."""
    if not path.exists():
        return None
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        skills = {str(skill): (tuple(map(float, row["raw"])), tuple(map(float, row["share"]))) for skill, row in table["skills"].items()}
        done = dict(table.get("done", {}))
        after = {str(skill): float(p) for skill, p in done.pop("after", {}).items()}
        rule = DoneRule(**{str(key): float(p) for key, p in done.items()}, after=after)
        more = {key: float(table[key]) for key in ("idle", "temperature") if key in table}
        return Calibration(skills, table.get("figures", {}), rule, **more)
    except (OSError, ValueError, ArithmeticError, KeyError, TypeError, AttributeError, RecursionError, SkillError) as error:
        raise SkillError(f"{path}: expected a calibration as the fitting script writes it ({error}): fit it again or remove it") from error


def brier(probability: ArrayLike, outcome: ArrayLike) -> float:
    """Mean squared difference of probabilities `(N,)` and outcomes `(N,)` of 0 or 1 (Brier 1950)."""
    return float(np.mean((np.asarray(probability, float) - np.asarray(outcome, float)) ** 2))


def calibration_error(probability: ArrayLike, outcome: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error: mean distance of probability and share of successes over equal bins, weighted by their size."""
    p, y = np.asarray(probability, float), np.asarray(outcome, float)
    which = np.minimum((p * bins).astype(int), bins - 1)
    return float(sum(abs(p[which == b].mean() - y[which == b].mean()) * np.mean(which == b) for b in np.unique(which)))


def table_of(raw: Sequence[float], share: Sequence[float]) -> dict[str, list[float]]:
    """One skill's table as it is written to a file."""
    return {"raw": [round(float(x), 5) for x in raw], "share": [round(float(x), 5) for x in share]}
