"""Which token of an example is the thing that it shows (one-shot detection of Minderer et al., 2022, section 4.4).

A network of this kind expects the embedding of a token, not of a cropped picture: the whole example is encoded, and the token chosen
whose box fits the thing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seesay.errors import PromptError
from seesay.messages import Example
from seesay.perception.boxes import iou

FIT = 0.8
"""Boxes count whose IoU with the thing is at least so much of the best one's."""


def outline(example: Example) -> NDArray[np.float32] | None:
    """`(4,) float32` xyxy pixels of the thing in an example, None where all of it shows the thing."""
    if example.mask.size:
        rows, columns = np.flatnonzero(example.mask.any(axis=1)), np.flatnonzero(example.mask.any(axis=0))
        return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)
    return example.box if example.box.size else None


def choose_token(
    boxes: NDArray[np.float32], thing: NDArray[np.float32] | None, embeddings: NDArray[np.float32], objectness: NDArray[np.float32] | None
) -> int:
    """The token that stands for `thing`, `(4,)` xyxy (None: all of the unit square), among P tokens with `(P, 4)` xyxy boxes, both in the
    network's unit square, and `(P, D)` embeddings that are not normalised.

    Among the tokens whose boxes fit best it is the one that differs most from the mean, since all but one of a thing's tokens look like
    background; where the network tells objectness `(P,)` (OWLv2), the one with the most of it, without a thing the most of all. The
    choices are those of Hugging Face's `embed_image_query`. Raises PromptError if no box touches the thing.
    """
    if thing is None and objectness is not None:
        return int(objectness.argmax())
    fits = iou(np.array([[0, 0, 1, 1]] if thing is None else [thing], np.float32), boxes)[0]
    if not fits.any():
        raise PromptError("expected an example in which the model sees something where the box is, got none; draw the box around the thing")
    near = np.flatnonzero(fits >= FIT * fits.max())
    if objectness is not None:
        return int(near[objectness[near].argmax()])
    return int(near[(embeddings[near] @ embeddings.mean(axis=0)).argmin()])
