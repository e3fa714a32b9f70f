"""Which options a decision leaves open: split conformal prediction over the candidates (KnowNo, Ren et al. 2023, arXiv:2307.01928).

The confidence of an option is its share among the possible ones; the temperature takes away what the language model is too sure of,
affordances are probabilities already. Calibrated on `n` decisions for which it is known what the person meant, the set of all options whose
confidence reaches `1 - quantile` holds what is meant with at least the target's probability, as long as decisions and calibration are
exchangeable and the person answers truly.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seesay.errors import SkillError
from seesay.messages import PlanStep
from seesay.planner.calibration import library_file, table_of
from seesay.planner.lengths import Length
from seesay.planner.prompt import Dialogue
from seesay.planner.skills import Library


def confidences(step: PlanStep, temperature: float) -> NDArray[np.float64]:
    """Shares `(N,)` in [0, 1] of a decision's candidates, `softmax(log p / temperature + log affordance)`; 0 for what is impossible."""
    scores = np.array([
        each.log_p_language / temperature + math.log(each.affordance) if each.log_p_language is not None and each.affordance else -math.inf
        for each in step.candidates
    ])  # fmt: skip
    top = scores.max(initial=-math.inf)
    if top == -math.inf:
        return np.zeros(len(scores))
    weights = np.exp(scores - top)
    return np.asarray(weights / weights.sum())


def quantile(strangeness: Sequence[float], target: float) -> float:
    """The `ceil((n + 1) target)`-th smallest of n numbers; infinite where n is too small for the target.

    strangeness: `1 - confidence` of what was meant, one per calibration decision; of several right options that of the surest.
    """
    rank = math.ceil((len(strangeness) + 1) * target - 1e-9)
    return math.inf if rank > len(strangeness) else float(np.partition(strangeness, rank - 1)[rank - 1])


def prediction_set(confidence: ArrayLike, limit: float) -> tuple[int, ...]:
    """Indices of the options whose confidence is at least `1 - limit`, surest first; impossible ones never."""
    values = np.asarray(confidence, float)
    inside = (values > 0.0) & (1.0 - values <= limit + 1e-12)
    return tuple(int(i) for i in np.argsort(-values, kind="stable") if inside[i])


@dataclass(frozen=True)
class HelpCalibration:
    """When to ask with one language model on one skill library.

    model, length: of the scorer. prompt: `prompt_mark` of the library. n: decisions behind the quantiles, others than those that the
    temperature was fitted on. quantiles: target coverage, as text with two decimals -> quantile.
    """

    model: str
    length: Length
    prompt: str
    n: int
    temperature: float
    quantiles: Mapping[str, float]

    def limit(self, target: float) -> float:
        """The quantile of the least calibrated target that is not below `target`. Raises SkillError if all are below."""
        enough = [key for key in sorted(self.quantiles) if float(key) >= target - 1e-9]
        if not enough:
            raise SkillError(f"expected a target of at most {max(self.quantiles)}, which is what help was calibrated for, got {target:g}")
        return self.quantiles[enough[0]]

    @property
    def scorer(self) -> str:
        """What the scorer is called."""
        return self.model if self.length == "sum" else f"{self.model} ({self.length})"

    def check(self, scorer: str, library: Library) -> None:
        """Raise SkillError unless it was made for this scorer and this library's prompt."""
        if scorer != self.scorer or prompt_mark(library) != self.prompt:
            got = f"one for {self.scorer}" if scorer != self.scorer else f"one for other prompts or affordances of {library.name}"
            raise SkillError(f"asking needs a calibration for {scorer}, got {got}: run python -m scripts.calibrate_help, or set ask = 0")


def prompt_mark(library: Library) -> str:
    """What confidences depend on beside the model: a hash of the library's prompt and of the calibration of its affordances."""
    tables = sorted(library.calibration.tables.items()) if library.calibration else []
    rows = json.dumps([[skill, table_of(*table)] for skill, table in tables] + [asdict(library.done_rule)])
    return hashlib.sha256(f"{Dialogue(library).base()}\0{rows}".encode()).hexdigest()[:16]


def help_file(library: str | Path) -> Path:
    """Where the calibration of a library lies: NAME.help.json beside the skill file. library: as for `load_library`."""
    return library_file(library).with_suffix(".help.json")


def load_help(path: Path) -> HelpCalibration:
    """Read a calibration. Raises SkillError that names the file and what is wrong."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        quantiles = {f"{float(key):.2f}": float(value) for key, value in table["quantiles"].items()}
        temperature, n = float(table["temperature"]), int(table["n"])
        if not (quantiles and n > 0 and 0.0 < temperature < math.inf and all(0.0 <= value <= 1.0 for value in quantiles.values())):
            raise ValueError("a figure out of range")
        if table["length"] not in get_args(Length):
            raise ValueError(f"an unknown length policy {table['length']!r}")
        return HelpCalibration(str(table["model"]), table["length"], str(table["prompt"]), n, temperature, quantiles)
    except (OSError, ValueError, ArithmeticError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        cure = "run python -m scripts.calibrate_help, or set ask = 0"
        raise SkillError(f"{path}: expected a calibration of help ({reason}): {cure}") from error


def save_help(calibration: HelpCalibration, path: Path) -> None:
    """Write what `load_help` reads."""
    path.write_text(json.dumps(asdict(calibration), indent=1) + "\n", encoding="utf-8")
