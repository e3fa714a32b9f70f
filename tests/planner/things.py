"""Objects on a table, as perception would report them."""

from __future__ import annotations

import numpy as np

from seesay.messages import Header, Instruction, Object, Objects, ObjectStatus, Source

S = 1_000_000_000
"""Nanoseconds of a second."""


def thing(
    number: int, label: str, x: float, y: float, z: float = 0.02, *, seen_s: float = 10.0, score: float = 0.9,
    status: ObjectStatus = "visible", size: float = 0.045,
) -> Object:
    stamp = int(seen_s * S)
    return Object(
        number, label, score, np.zeros(4, np.float32), np.array([x, y, z]), np.eye(3) * 1e-4, np.full(3, size), stamp,
        Source("front", 1, stamp), status, yaw=0.3,
    )


def scene(*things: Object, at_s: float = 10.0) -> Objects:
    stamp = int(at_s * S)
    return Objects(Header(stamp, 1, "world", "sim", Source("front", 1, stamp)), things)


def order(text: str, number: str = "t1") -> Instruction:
    return Instruction(Header(10 * S), number, text)
