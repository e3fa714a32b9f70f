"""From boxes and the probability of every (box, prompt) pair to detections."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seesay.messages import Prompt
from seesay.perception.boxes import suppress

OVERLAP = 0.5
"""IoU over which the weaker of two boxes of one prompt goes, unless somebody says otherwise."""
MOST = 300
"""Boxes of one picture at most, or one a prompt where more prompts than this have any."""


def select(
    corners: NDArray[np.float32], probabilities: NDArray[np.float32], prompts: Sequence[Prompt], threshold: float, overlap: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """From `(P, 4)` corners and `(P, Q)` probabilities of Q prompts to boxes `(N, 4)`, scores `(N,)`, prompt indices `(N,)`, by score.

    Multi-label: each (box, prompt) pair over the prompt's threshold, or else `threshold`, stands for itself; suppression within a prompt
    only, over the prompt's overlap, or else `overlap`. A box whose best prompt is a negative one answers none. Of more than MOST boxes that
    are left, the best ones are taken, and in any case the best one of each prompt.
    """
    least = np.array([threshold if prompt.threshold is None else prompt.threshold for prompt in prompts])
    most = np.array([overlap if prompt.overlap is None else prompt.overlap for prompt in prompts])
    negative = np.array([prompt.negative for prompt in prompts])
    solid = (corners[:, 2] - corners[:, 0] >= 1) & (corners[:, 3] - corners[:, 1] >= 1)
    solid &= ~negative[probabilities.argmax(axis=1)]
    tokens, indices = np.nonzero((probabilities > least) & solid[:, None] & ~negative)
    scores = probabilities[tokens, indices]
    order = np.argsort(-scores, kind="stable")
    tokens, indices, scores = tokens[order], indices[order], scores[order]
    first = np.unique(indices, return_index=True)[1]
    kept = suppress(corners[tokens], indices, most[indices], MOST)
    others = np.setdiff1d(kept, first)[: max(0, MOST - len(first))]
    kept = np.sort(np.concatenate([first, others]))
    return corners[tokens[kept]], scores[kept].astype(np.float32), indices[kept].astype(np.int32)


def clipped_corners(boxes: NDArray[np.float32], span: tuple[float, float], height: int, width: int) -> NDArray[np.float32]:
    """`(N, 4)` centre x, y, width, height in a unit square of so many pixels (across, down) -> xyxy pixels, clipped to the picture."""
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    corners = np.concatenate([centre - half, centre + half], axis=1) * np.array([*span, *span], np.float32)
    clipped: NDArray[np.float32] = np.clip(corners, 0, np.array([width, height, width, height], np.float32)).astype(np.float32)
    return clipped
