"""Scores of a detector as probabilities: a logistic curve per prompt, fitted on training pictures and kept beside the checkpoint.

A score orders the boxes of one prompt; how much it means differs from prompt to prompt. Platt, "Probabilistic Outputs for Support Vector
Machines", 1999. `python -m seesay.perception.training.calibrate` fits it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seesay.errors import ModelError
from seesay.perception.prompts import label

FILE = "calibration.json"
Curve = tuple[float, float]


@dataclass(frozen=True)
class Calibration:
    """p(right) = sigmoid(slope * logit(score) + offset), slope > 0: curves by the name that a prompt asks for, `default` for others."""

    default: Curve
    curves: Mapping[str, Curve]

    def __post_init__(self) -> None:
        for name, (slope, offset) in {"default": self.default, **self.curves}.items():
            if not (0 < slope < 100 and abs(offset) < 100):
                raise ModelError(f"calibration of {name!r}: expected a slope in (0, 100) and an offset up to 100, got {slope}, {offset}")

    def probabilities(
        self, prompts: Sequence[str], indices: NDArray[np.integer], scores: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """`(N,) float32` p(right) in [0, 1] of boxes with `(N,)` scores that answer `prompts[indices]`."""
        curves = np.array([self.curves.get(label(prompt).lower(), self.default) for prompt in prompts], np.float64).reshape(-1, 2)
        slope, offset = curves[indices].T
        odds = slope * logit(scores) + offset
        right: NDArray[np.float32] = (1 / (1 + np.exp(-odds))).astype(np.float32)
        return right


def logit(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Log-odds of scores in [0, 1], kept finite."""
    clipped = np.clip(np.asarray(scores, np.float64), 1e-6, 1 - 1e-6)
    odds: NDArray[np.float64] = np.log(clipped / (1 - clipped))
    return odds


def load_calibration(folder: Path) -> Calibration | None:
    """The calibration in a checkpoint's folder, None if there is none. Raises ModelError that names the file and what is wrong."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        slope, offset = map(float, table["default"])
        curves = {str(name): (float(a), float(b)) for name, (a, b) in table["prompts"].items()}
        return Calibration((slope, offset), curves)
    except (OSError, ValueError, ArithmeticError, KeyError, TypeError, AttributeError, RecursionError, ModelError) as error:
        raise ModelError(f"{path}: expected a calibration as the fitting script writes it ({error}); fit it again or remove it") from error
