"""Boxes that cover the same pixels are one thing with several names."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seesay import masks as coding
from seesay.messages import Alternative, Detections, Masks
from seesay.perception.boxes import iou
from seesay.perception.prompts import label

SAME_BOX = 0.6


@dataclass
class Thing:
    """A box with all the names that were given to it, best first: (label, prompt, score); `probability` of the first."""

    box: NDArray[np.float32]
    names: list[tuple[str, str, float]] = field(default_factory=list)
    probability: float | None = None

    @property
    def alternatives(self) -> tuple[Alternative, ...]:
        return tuple(Alternative(name, score) for name, _, score in self.names[1:])


def merge(detections: Detections) -> list[Thing]:
    """Group boxes that cover the same pixels, greedily by score; the kinds of a tree of prompts ("full", "empty") name no things."""
    things: list[Thing] = []
    for index in np.argsort(-detections.scores, kind="stable"):
        if _is_kind(detections, int(index)):
            continue
        box, prompt = detections.boxes[index], detections.prompts[detections.prompt_indices[index]]
        name = (label(prompt), prompt, float(detections.scores[index]))
        rivals = iou(box[None], np.stack([thing.box for thing in things]))[0] if things else np.zeros(0)
        if len(rivals) and rivals.max() > SAME_BOX:
            owner = things[int(rivals.argmax())]
            if name[0] not in [known for known, _, _ in owner.names]:
                owner.names.append(name)
        else:
            probability = float(detections.probabilities[index]) if len(detections.probabilities) else None
            things.append(Thing(box, [name], probability))
    return things


def mask_of(thing: Thing, masks: Masks | None) -> NDArray[np.bool_] | None:
    """The mask of the best name of the thing that has one."""
    if masks is None:
        return None
    for _, prompt, _ in thing.names:
        if prompt in masks.prompts:
            index = masks.prompts.index(prompt)
            counts = masks.counts[masks.starts[index] : masks.starts[index + 1]]
            return coding.decode_one(counts, masks.height, masks.width)
    return None


def _is_kind(detections: Detections, index: int) -> bool:
    """Whether a box says what its parent is, not what is inside."""
    if not len(detections.parents):
        return False
    parent = detections.parents[index]
    outer = detections.boxes[parent] if parent >= 0 else np.array([0, 0, detections.width, detections.height], np.float32)
    return bool((outer == detections.boxes[index]).all())
