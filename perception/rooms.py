"""How much of the room that things take up in space they share: axis-aligned boxes in the world."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SAME_ROOM, SAME_ROOM_SAME_NAME = 0.4, 0.2
"""Intersection over union above which two are one thing; a block in a bowl shares up to 0.2 with it."""
LEAST_SIDE = 0.01


class Solid(Protocol):
    """position: `(3,)` metres, of the centre. extent: `(3,)` metres along the world's axes; flat things count as 1 cm high."""

    @property
    def position(self) -> NDArray[np.float64]: ...

    @property
    def extent(self) -> NDArray[np.float64]: ...


def shared_room(a: Solid, b: Solid) -> float:
    """Intersection over union of the bounding boxes of two things in space, in [0, 1]."""
    common = _common(a, b)
    return common / (_volume(a) + _volume(b) - common)


def filled(a: Solid, b: Solid) -> float:
    """Share in [0, 1] of the bounding box of `a` that lies in that of `b`."""
    return _common(a, b) / _volume(a)


def _common(a: Solid, b: Solid) -> float:
    half_a, half_b = np.maximum(a.extent, LEAST_SIDE) / 2, np.maximum(b.extent, LEAST_SIDE) / 2
    sides = np.minimum(a.position + half_a, b.position + half_b) - np.maximum(a.position - half_a, b.position - half_b)
    return float(np.prod(np.clip(sides, 0, None)))


def _volume(a: Solid) -> float:
    return float(np.prod(np.maximum(a.extent, LEAST_SIDE)))
