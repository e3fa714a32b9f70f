"""Looks for the prompts of a tree: in the picture, then inside the boxes found, level by level, all crops of a level together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seesay.messages import Prompt
from seesay.perception.boxes import iou
from seesay.perception.decoding import select
from seesay.perception.trees import Branch

Rgb = NDArray[np.uint8]
Scored = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Boxes `(P, 4)` in pixels of a picture and their probabilities `(P, Q)` for Q prompts."""

Found = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]
"""Boxes `(N, 4) float32` pixels, scores `(N,) float32`, prompt indices and parents `(N,) int32`, as in Detections."""

NOTHING: Found = (np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32), np.zeros(0, np.int32))

CONTEXT = 0.5
"""A crop shows so much of the box's longer side around it: networks expect to see a thing where it is."""
FIT = 0.5
"""Boxes of a crop speak for the thing in its middle from this IoU on."""
MOST_CROPS = 64
"""Boxes of one picture and level into which is looked, best first."""


@dataclass
class _Growth:
    """What was found in one picture, parents before what is inside them."""

    boxes: list[NDArray[np.float32]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)

    def arrays(self) -> Found:
        boxes = np.array(self.boxes, np.float32).reshape(-1, 4)
        return boxes, np.array(self.scores, np.float32), np.array(self.indices, np.int32), np.array(self.parents, np.int32)

    def add(self, box: NDArray[np.float32], score: float, branch: Branch, parent: int) -> int:
        self.boxes.append(box)
        self.scores.append(score)
        self.indices.append(branch.index)
        self.parents.append(parent)
        return len(self.boxes) - 1


@dataclass(frozen=True)
class _Place:
    """Where to look for what is below `branch`: in `window` (rows, columns) of a picture, around `box` (xyxy pixels of it), which has the
    number `row` (-1: all of the picture)."""

    picture: int
    branch: Branch
    row: int
    box: NDArray[np.float32]
    window: tuple[slice, slice]


def grow(
    tree: Branch,
    pictures: Sequence[Rgb],
    first: Sequence[Scored],
    look: Callable[[Sequence[Rgb], tuple[Prompt, ...]], Sequence[Scored]],
    threshold: float,
    overlap: float,
) -> list[Found]:
    """Everything that the tree asks for, in each picture.

    first: what the network says of the pictures for the prompts right below the root, in their order. look: the same for crops.
    threshold, overlap: for prompts without their own.
    """
    if not tree.kinds and not any(branch.below for branch in tree.finds):
        prompts, alone = [branch.prompt for branch in tree.finds], np.zeros(0, np.int32)
        return [(*select(corners, probabilities, prompts, threshold, overlap), alone) for corners, probabilities in first]
    found = [_Growth() for _ in pictures]
    places = [_whole(number, tree, rgb) for number, rgb in enumerate(pictures)]
    wanted = {branch: column for column, branch in enumerate(tree.below)}
    scored = first
    while places:
        reached = []
        for place, (corners, probabilities) in zip(places, scored, strict=True):
            columns = [wanted[branch] for branch in place.branch.below]
            offset = np.array([place.window[1].start, place.window[0].start] * 2, np.float32)
            reached += _judge(found[place.picture], place, corners + offset, probabilities[:, columns], threshold, overlap)
        places = [place for number, rgb in enumerate(pictures) for place in _promising(number, found[number], reached, rgb)]
        wanted = {branch: column for column, branch in enumerate(dict.fromkeys(b for place in places for b in place.branch.below))}
        if places:
            crops = [np.ascontiguousarray(pictures[place.picture][place.window]) for place in places]
            scored = look(crops, tuple(branch.prompt for branch in wanted))
    return [growth.arrays() for growth in found]


def _judge(
    growth: _Growth, place: _Place, corners: NDArray[np.float32], probabilities: NDArray[np.float32], threshold: float, overlap: float
) -> list[tuple[int, int, Branch]]:
    """Note what one place shows; return (picture, row, branch) of each."""
    rows = []
    inside = place.row < 0 or _centres_in(corners, place.box)
    finds = place.branch.finds
    if finds:
        mine = probabilities[:, : len(finds)] * np.reshape(inside, (-1, 1))
        for box, score, index in zip(*select(corners, mine, [branch.prompt for branch in finds], threshold, overlap), strict=True):
            rows.append((growth.add(box, float(score), finds[index], place.row), finds[index]))
    fits = iou(place.box[None], corners)[0]
    speak = fits >= min(FIT, fits.max())
    start = len(finds)
    for group in place.branch.kinds:
        best = probabilities[speak, start : start + len(group)].max(axis=0)
        kind = int(best.argmax())
        rows.append((growth.add(place.box, float(best[kind]), group[kind], place.row), group[kind]))
        start += len(group)
    return [(place.picture, row, branch) for row, branch in rows]


def _promising(number: int, growth: _Growth, reached: Sequence[tuple[int, int, Branch]], rgb: Rgb) -> list[_Place]:
    """The best boxes of a picture that have something to look for below them."""
    rows = [(row, branch) for picture, row, branch in reached if picture == number and branch.below]
    rows.sort(key=lambda item: -growth.scores[item[0]])
    return [_Place(number, branch, row, growth.boxes[row], _window(growth.boxes[row], rgb)) for row, branch in rows[:MOST_CROPS]]


def _whole(number: int, tree: Branch, rgb: Rgb) -> _Place:
    height, width = rgb.shape[:2]
    return _Place(number, tree, -1, np.array([0, 0, width, height], np.float32), (slice(0, height), slice(0, width)))


def _window(box: NDArray[np.float32], rgb: Rgb) -> tuple[slice, slice]:
    """A square around the box with its context, where the picture goes so far."""
    half = (0.5 + CONTEXT) * max(box[2] - box[0], box[3] - box[1])
    middle_x, middle_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    rows = slice(max(0, int(middle_y - half)), min(rgb.shape[0], int(np.ceil(middle_y + half))))
    return rows, slice(max(0, int(middle_x - half)), min(rgb.shape[1], int(np.ceil(middle_x + half))))


def _centres_in(corners: NDArray[np.float32], box: NDArray[np.float32]) -> NDArray[np.bool_]:
    centres = (corners[:, :2] + corners[:, 2:]) / 2
    inside: NDArray[np.bool_] = np.all((centres >= box[:2]) & (centres <= box[2:]), axis=1)
    return inside
