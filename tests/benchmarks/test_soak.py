"""What the soak says of a process follows from its samples, and its pictures tell whether they are whole."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmarks.soak import Series, launch
from benchmarks.soak_node import whole
from seesay.messages import Header, Image
from seesay.nodes.runtime import load_node


def test_the_slope_is_that_of_the_memory() -> None:
    series = Series(psutil.Process(os.getpid()))
    for second in range(0, 3600, 60):
        series.samples.extend((second, 100 + 2 * second / 3600 + 0.1 * (-1) ** (second // 60), 50 + second / 3600, 20 + (second > 1800)))
    figures = series.figures()
    assert figures["slope_mb_h"] == pytest.approx(2, abs=0.05)
    assert figures["own_slope_mb_h"] == pytest.approx(1)
    assert 1.7 < figures["slope_low_mb_h"] < 2 < figures["slope_high_mb_h"] < 2.3
    assert figures["rss_grown_mb"] == pytest.approx(4 / 3, abs=0.1)
    assert figures["descriptors_grown"] == 1


def test_a_minute_that_is_far_off_is_no_slope_but_growth_in_steps_is() -> None:
    outlier, steps = Series(psutil.Process(os.getpid())), Series(psutil.Process(os.getpid()))
    for minute in range(24):
        outlier.samples.extend((60 * minute, 100 + 5 * (minute == 22), 50, 20))
        steps.samples.extend((60 * minute, 100 + minute // 8, 50, 20))
    assert outlier.figures()["slope_mb_h"] == outlier.figures()["rss_grown_mb"] == 0
    assert steps.figures()["slope_mb_h"] > 3
    assert steps.figures()["rss_grown_mb"] == 2


def test_a_torn_picture_is_seen() -> None:
    data = np.full((4, 4, 3), 7, np.uint8)
    assert whole(Image(Header(1, 7 + 251), "rgb8", data))
    assert not whole(Image(Header(1, 8), "rgb8", data))
    torn = data.copy()
    torn[3] = 8
    assert not whole(Image(Header(1, 7), "rgb8", torn))


def test_what_it_launches_has_these_parameters() -> None:
    launch(Path("bag")).effective(lambda run: load_node(run).Config)
