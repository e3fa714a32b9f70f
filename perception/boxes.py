"""Arithmetic on xyxy boxes in pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def iou(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Intersection over union of `(N, 4)` and `(M, 4)` boxes -> `(N, M) float64`; 0 where a box has no area."""
    return _shared(first, second)[0]


def inside(inner: NDArray[np.floating[Any]], outer: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Share of each of `(N, 4)` inner boxes that lies in each of `(M, 4)` outer boxes -> `(N, M) float64`."""
    return _shared(inner, outer)[1]


def _shared(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = a.astype(np.float64), b.astype(np.float64)
    size = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    common = np.prod(np.clip(size, 0, None), axis=2)
    area_a, area_b = np.prod(a[:, 2:] - a[:, :2], axis=1), np.prod(b[:, 2:] - b[:, :2], axis=1)
    union = area_a[:, None] + area_b[None, :] - common
    overlap = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    share = np.divide(common, area_a[:, None], out=np.zeros_like(common), where=area_a[:, None] > 0)
    return overlap, share


def suppress(
    boxes: NDArray[np.floating[Any]], groups: NDArray[np.integer[Any]], overlap: NDArray[np.floating[Any]], most: int
) -> NDArray[np.intp]:
    """Indices of the first `most` boxes that stay, of `(N, 4)` boxes sorted best first: a box goes if a better one of its group has an IoU
    with it over that group's `overlap`, which is `(N,)`, one number a box.

    However many boxes there are, no more than `most` of them are compared with one another at a time.
    """
    stays, left = np.zeros(0, np.intp), np.arange(len(boxes))
    while len(left) and len(stays) < most:
        block, left = left[:most], left[most:]
        new = block[_staying(boxes[block], groups[block], overlap[block])]
        stays = np.concatenate([stays, new])[:most]
        if len(left) and len(stays) < most:
            left = left[~_covered(left, new, boxes, groups, overlap)]
    return stays


def _staying(boxes: NDArray[np.floating[Any]], groups: NDArray[np.integer[Any]], overlap: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Which of the boxes stay, `(N,)`, every one being compared with every other."""
    rivals = (iou(boxes, boxes) > overlap[:, None]) & (groups[:, None] == groups[None, :])
    stays = np.ones(len(boxes), bool)
    for index in range(len(boxes)):
        if stays[index]:
            stays[index + 1 :] &= ~rivals[index, index + 1 :]
    return stays


def _covered(
    left: NDArray[np.intp], better: NDArray[np.intp], boxes: NDArray[np.floating[Any]], groups: NDArray[np.integer[Any]],
    overlap: NDArray[np.floating[Any]],
) -> NDArray[np.bool_]:
    """Which of the boxes `left` go for one of the `better` ones of their group."""
    covered = np.zeros(len(left), bool)
    for group in np.unique(groups[better]):
        rivals, places = better[groups[better] == group], np.flatnonzero(groups[left] == group)
        covered[places] = (iou(boxes[rivals], boxes[left[places]]) > overlap[rivals][:, None]).any(axis=0)
    return covered
