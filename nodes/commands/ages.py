"""How old pictures are when each stage has used them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Age:
    """One message as it arrived: `topic`, the picture behind it, and how old that picture was, milliseconds of the picture's clock."""

    topic: str
    camera: str
    sequence: int
    stamp_ns: int
    age_ms: float


@dataclass(frozen=True)
class AgeSummary:
    """All messages of one topic."""

    topic: str
    count: int
    median_ms: float
    p95_ms: float
    worst_ms: float


def summarise(ages: Sequence[Age]) -> list[AgeSummary]:
    """One summary a topic, in order of first appearance."""
    by_topic: dict[str, list[float]] = {}
    for age in ages:
        by_topic.setdefault(age.topic, []).append(age.age_ms)
    return [
        AgeSummary(topic, len(values), float(np.median(values)), float(np.percentile(values, 95)), max(values))
        for topic, values in by_topic.items()
    ]


def to_csv(ages: Sequence[Age]) -> str:
    """Header line and one line a message."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(field.name for field in fields(Age))
    writer.writerows(astuple(age) for age in ages)
    return out.getvalue()
