"""A quick look at a student during training: AP50 of all sixty names, threshold sweep, mask IoU, on rendered pictures of other looks.

The figures that are published come from `python -m benchmarks.tabletop_accuracy`, on other scenes.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seesay.perception.training.data import Shards, augment
from seesay.perception.training.losses import corners
from seesay.perception.training.model import IMAGE, PATCH, Student, normalise
from seesay.perception.training.vocabulary import PAIRS


def average_precision(scores: NDArray[np.float64], hits: NDArray[np.bool_], total: int) -> float:
    """Area under the precision-recall curve with precision made monotone, 101 points (COCO)."""
    order = np.argsort(-scores, kind="stable")
    hit = np.cumsum(hits[order])
    precision = hit / np.arange(1, len(hit) + 1)
    recall = hit / total
    precision = np.maximum.accumulate(precision[::-1])[::-1] if len(precision) else precision
    at = np.searchsorted(recall, np.linspace(0, 1, 101))
    return float(np.mean([precision[i] if i < len(precision) else 0.0 for i in at]))


def overlaps(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """`(N, M)` IoU of corner boxes."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    inner = np.clip(high - low, 0, None).prod(-1)
    areas = [np.clip(x[:, 2:] - x[:, :2], 0, None).prod(1) for x in (a, b)]
    return np.asarray(inner / (areas[0][:, None] + areas[1][None] - inner + 1e-9), np.float32)


def nms(boxes: NDArray[np.float32], scores: NDArray[np.float32], limit: float = 0.5, most: int = 30) -> list[int]:
    order = np.argsort(-scores)[:most]
    table = overlaps(boxes[order], boxes[order])
    keep: list[int] = []
    for i in range(len(order)):
        if all(table[i, j] <= limit for j in keep):
            keep.append(i)
    return [int(order[i]) for i in keep]


@torch.no_grad()
def evaluate(student: Student, text: Tensor, shards: Shards, number: int = 200) -> dict[str, float]:
    """`text`: `(60, D)` vectors of the names in the order of PAIRS."""
    student.eval()
    rng = np.random.default_rng(0)
    found: list[list[tuple[float, bool, bool]]] = [[] for _ in PAIRS]
    totals = np.zeros(len(PAIRS))
    best_absent, ious = [], []
    for index in range(min(number, len(shards))):
        sample = augment(rng, *shards[index], IMAGE, plain=True)
        activations, merged, _ = student.encode_image(normalise(torch.from_numpy(sample.pixels)[None]))
        boxes = corners(student.boxes(merged, IMAGE // PATCH)[0]).numpy()
        scores = student.logits(merged, text)[0].sigmoid().numpy()
        truth = corners(torch.from_numpy(sample.boxes)).numpy()
        for k in range(len(PAIRS)):
            own = np.flatnonzero(sample.pairs == k)
            totals[k] += sample.counts[own].sum()
            if not len(own):
                best_absent.append(float(scores[:, k].max()))
            candidates = np.flatnonzero(scores[:, k] > 0.02)
            if not len(candidates):
                continue
            used: set[int] = set()
            kept = candidates[nms(boxes[candidates], scores[candidates, k])]
            table = overlaps(boxes[kept], truth[own]) if len(own) else np.zeros((len(kept), 0))
            for row, i in enumerate(kept):
                match = [o for column, o in enumerate(own) if o not in used and table[row, column] >= 0.5]
                if not match:
                    found[k].append((float(scores[i, k]), False, True))
                    continue
                used.add(int(match[0]))
                if sample.counts[match[0]]:
                    found[k].append((float(scores[i, k]), True, True))
        if index % 2 == 0 and len(sample.boxes):
            own_row = int(np.argmax(sample.counts))
            mask = student.masks(activations, text[int(sample.pairs[own_row])][None])[0] > 0
            want = torch.from_numpy(sample.labels == own_row + 1)
            ious.append(float((mask & want).sum() / (mask | want).sum().clamp(min=1)))
    student.train()
    aps = [
        average_precision(np.array([f[0] for f in rows]), np.array([f[1] for f in rows], bool), int(total))
        for rows, total in zip(found, totals, strict=True)
        if total > 0
    ]
    threshold = float(np.quantile(best_absent, 0.98)) if best_absent else 1.0
    recalled = sum(sum(1 for s, hit, _ in rows if hit and s > threshold) for rows in found)
    return {
        "ap50": float(np.mean(aps)), "threshold_at_2_percent": threshold, "recall_there": recalled / max(1.0, float(totals.sum())),
        "miou": float(np.mean(ious)),
    }  # fmt: skip
