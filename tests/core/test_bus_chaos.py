"""A few kills of the chaos benchmark: no picture is torn, and nothing is left."""

from __future__ import annotations

from benchmarks.chaos import run
from seesay.topics import IMAGE


def test_kills_tear_no_picture_and_leave_nothing() -> None:
    figures = run(kills=6, seed=1, pause_s=0.1)
    assert figures["pictures"] > 50
    assert (figures["torn_delivered"], figures["unnoticed"], figures["files_left"], figures["descriptors_grown"]) == (0, 0, 0, 0)
    assert IMAGE.lease_s - 0.1 <= figures["stop_noticed_max_s"] <= 10   # 2.5 on a machine that is not busy, as the benchmark says
    assert figures["stop_healed_max_s"] <= 10
