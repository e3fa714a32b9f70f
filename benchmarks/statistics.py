"""Intervals and paired tests of shares."""

from __future__ import annotations

import math
from collections.abc import Sequence


def wilson(successes: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); (0, 1) for no trials."""
    if n == 0:
        return (0.0, 1.0)
    share, square = successes / n, z * z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return (round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4))


def mcnemar(one: Sequence[bool], other: Sequence[bool]) -> float:
    """Exact two-sided p of McNemar's test that two paired shares are equal (McNemar 1947): a sign test over the pairs that differ."""
    first = sum(a and not b for a, b in zip(one, other, strict=True))
    second = sum(b and not a for a, b in zip(one, other, strict=True))
    n, fewer = first + second, min(first, second)
    return min(1.0, 2.0 * sum(math.comb(n, k) for k in range(fewer + 1)) / 2.0**n)
