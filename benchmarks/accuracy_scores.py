"""What scores are worth: a reliability diagram of raw scores and of calibrated probabilities, for `tabletop_accuracy`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_scenes import Picture
from seesay.messages import Detections
from seesay.perception.boxes import iou

BINS = 10
SIDE, EDGE = 300, 40
Array = NDArray[np.floating[Any]]


def outcomes(shots: Sequence[Picture], found: Sequence[Detections], least: float) -> tuple[Array, Array, NDArray[np.bool_]]:
    """(score, calibrated probability, right or not) of every box over `least`, but those on things that are mostly hidden.

    A box is right if it meets a thing of its name (IoU 0.5) that no better box of that name has met.
    """
    scores, probabilities, hits = [], [], []
    for shot, answer in zip(shots, found, strict=True):
        met: set[int] = set()
        for box, score, probability, index in zip(answer.boxes, answer.scores, answer.probabilities, answer.prompt_indices, strict=True):
            own = [k for k, thing in enumerate(shot.objects) if thing.name == answer.prompts[index] and k not in met]
            overlaps = iou(box[None], np.stack([shot.objects[k].box for k in own]))[0] if own else np.zeros(1)
            hit = bool(overlaps.max() >= 0.5)
            if hit:
                best = own[int(overlaps.argmax())]
                met.add(best)
            if score > least and not (hit and not shot.objects[best].counts):
                scores.append(score)
                probabilities.append(probability)
                hits.append(hit)
    return np.array(scores), np.array(probabilities), np.array(hits, bool)


def reliability(values: Array, hits: NDArray[np.bool_]) -> tuple[list[dict[str, float]], float]:
    """Bins of equal width with mean value, share of hits and number; and the expected calibration error (Naeini et al., 2015)."""
    number = np.minimum((values * BINS).astype(int), BINS - 1)
    bins = [
        {"mean": float(values[number == k].mean()), "right": float(hits[number == k].mean()), "boxes": int((number == k).sum())}
        for k in range(BINS)
        if (number == k).any()
    ]
    return bins, sum(abs(b["mean"] - b["right"]) * b["boxes"] for b in bins) / max(len(values), 1)


def diagram(curves: dict[str, list[dict[str, float]]]) -> str:
    """An SVG of the share that is right over the mean value of each bin, one curve each; the diagonal is perfect."""
    colours = ("#c0392b", "#2471a3")

    def at(x: float, y: float) -> str:
        return f"{EDGE + x * SIDE:.1f},{EDGE + (1 - y) * SIDE:.1f}"

    lines = [f'<path d="M{at(0, 0)} L{at(1, 1)}" stroke="#aaa" stroke-dasharray="4"/>']
    lines.append(f'<path d="M{at(0, 1)} L{at(0, 0)} L{at(1, 0)}" stroke="#000" fill="none"/>')
    for k, (name, bins) in enumerate(curves.items()):
        points = " ".join(at(b["mean"], b["right"]) for b in bins)
        lines.append(f'<polyline points="{points}" stroke="{colours[k]}" stroke-width="2" fill="none"/>')
        lines.append(f'<text x="{EDGE + 12}" y="{EDGE + 16 + 16 * k}" fill="{colours[k]}">{name}</text>')
    lines.append(f'<text x="{EDGE + SIDE / 2}" y="{SIDE + 1.7 * EDGE}" text-anchor="middle">score or probability</text>')
    lines.append(f'<text x="{EDGE / 2}" y="{EDGE / 2}">share that is right</text>')
    size = SIDE + 2 * EDGE
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" font-family="sans-serif" font-size="12">'
    return opening + "".join(lines) + "</svg>\n"


def scores_figures(shots: Sequence[Picture], found: Sequence[Detections], least: float, svg: Path | None) -> dict[str, Any]:
    """Calibration errors over the boxes that the detector would give, and the bins behind them."""
    scores, probabilities, hits = outcomes(shots, found, least)
    raw, raw_error = reliability(scores, hits)
    calibrated, error = reliability(probabilities, hits)
    if svg:
        svg.write_text(diagram({"raw score": raw, "calibrated": calibrated}), encoding="utf-8")
    return {
        "calibration_error_raw": raw_error,
        "calibration_error": error,
        "reliability": {"raw": raw, "calibrated": calibrated},
    }
