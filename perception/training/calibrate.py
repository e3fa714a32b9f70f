"""Fit what the scores of a detector mean, on training pictures: `python -m seesay.perception.training.calibrate DATA --out FOLDER`.

Every picture is asked for all sixty colour-shape names and the six shapes. A box over FLOOR is right if it meets a thing of its name
(IoU 0.5) that no better box has met. One logistic curve is fitted on all boxes, then one per name, held near the first by PRIOR.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scipy.optimize import minimize

from seesay.perception.boxes import iou
from seesay.perception.calibration import FILE, Curve, logit
from seesay.perception.detector import Detector
from seesay.perception.embedded import EMBEDDED, folder
from seesay.perception.training.data import Shards
from seesay.perception.training.vocabulary import PAIRS, SHAPES

FLOOR = 0.05
PRIOR = 20.0
NAMES = (*(f"{colour} {shape}" for colour, shape in PAIRS), *SHAPES)
Array = NDArray[np.float64]


def right(boxes: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of `(N, 4)` boxes, best first, meets one of `(M, 4)` true ones that no box before it has met."""
    hits, free = np.zeros(len(boxes), bool), np.ones(len(truth), bool)
    for row, overlaps in enumerate(iou(boxes, truth) if len(truth) else ()):
        best = int((overlaps * free).argmax())
        if free[best] and overlaps[best] >= 0.5:
            hits[row], free[best] = True, False
    return hits


def fit(scores: Array, hits: NDArray[np.bool_], start: Curve = (1.0, 0.0), prior: float = 0.0) -> Curve:
    """The curve of the least cross-entropy plus `prior` times the squared distance from `start`."""
    odds = logit(scores)

    def loss(curve: Array) -> float:
        z = np.exp(curve[0]) * odds + curve[1]
        moved = (curve[0] - np.log(start[0])) ** 2 + (curve[1] - start[1]) ** 2
        return float(np.logaddexp(0, np.where(hits, -z, z)).sum() + prior * moved)

    found = minimize(loss, np.array([np.log(start[0]), start[1]]), method="Nelder-Mead").x
    return round(float(np.exp(found[0])), 4), round(float(found[1]), 4)


def collect(detector: Detector, shards: Shards, number: int) -> dict[str, tuple[Array, NDArray[np.bool_]]]:
    """For each name the scores of all its boxes and which of them are right."""
    lowered = Detector(detector.owl, FLOOR, detector.overlap)
    rows: dict[str, list[tuple[Array, NDArray[np.bool_]]]] = {name: [] for name in NAMES}
    for index in track(range(min(number, len(shards))), description="pictures"):
        image, _, objects = shards[index]
        there = objects[objects[:, 0] >= 0]
        found = lowered(image, NAMES)
        for k, name in enumerate(NAMES):
            own = found.prompt_indices == k
            colour, _, shape = name.rpartition(" ")
            meant = [(not colour or PAIRS[int(c) * 6 + int(s)][0] == colour) and SHAPES[int(s)] == shape for c, s in there[:, :2]]
            rows[name].append((found.scores[own].astype(np.float64), right(found.boxes[own], there[np.array(meant, bool), 2:6])))
    return {name: (np.concatenate([s for s, _ in r]), np.concatenate([h for _, h in r])) for name, r in rows.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="folders of shards from seesay.sim.dataset, split train")
    parser.add_argument("--model", default=EMBEDDED)
    parser.add_argument("--out", type=Path, help="folder of the checkpoint; by default the embedded one's")
    parser.add_argument("--pictures", type=int, default=1500)
    arguments = parser.parse_args()
    samples = collect(Detector.from_pretrained(arguments.model), Shards(arguments.data), arguments.pictures)
    scores, hits = (np.concatenate([sample[k] for sample in samples.values()]) for k in (0, 1))
    default = fit(scores, hits.astype(bool))
    table: dict[str, Any] = {
        "boxes": len(scores),
        "default": default,
        "prompts": {name: fit(*sample, default, PRIOR) for name, sample in samples.items() if len(sample[0])},
    }
    target = (arguments.out or folder("detector")) / FILE
    target.write_text(json.dumps(table) + "\n", encoding="utf-8")
    print(f"wrote {target}: {len(scores)} boxes, {hits.mean():.2%} right, default {default}")


if __name__ == "__main__":
    main()
