"""Affordances fitted to outcomes: what was too pessimistic rises, and nothing becomes certain."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.calibrate_affordances import BIN, apply, fit, fit_done, reliability
from scripts.calibrate_kitchen import ends
from seesay.planner.calibration import Calibration, DoneRule


def outcomes(n: int) -> tuple[list[float], list[bool]]:
    """Raw estimates, and successes with the probability of their square root."""
    rng = np.random.default_rng(n)
    raw = rng.uniform(0.01, 0.9, n)
    return raw.tolist(), (rng.random(n) < np.sqrt(raw)).tolist()


def test_a_table_follows_what_happened() -> None:
    raw, success = outcomes(2000)
    table = fit(raw, success)
    assert apply(table, [0.09, 0.25, 0.64]) == pytest.approx([0.3, 0.5, 0.8], abs=0.08)
    Calibration({"skill": (tuple(table[0]), tuple(table[1]))})   # rising, within 0 and 1
    figures = reliability(raw, success)
    assert figures["n"] == 2000
    assert figures["brier_after"] < figures["brier_before"]
    assert figures["calibration_error_after"] < 0.1 < figures["calibration_error_before"]


def test_nothing_is_certain_and_what_is_impossible_stays_so() -> None:
    table = fit([0.1] * BIN + [0.9] * BIN, [False] * BIN + [True] * BIN)
    least, most = 1 / (BIN + 2), (BIN + 1) / (BIN + 2)
    assert apply(table, [0.0, 0.01, 0.1, 0.9, 1.0]) == pytest.approx([0.0, least, least, most, most])


def test_a_few_outcomes_make_one_bin() -> None:
    assert fit([0.2, 0.8], [False, True]) == ([0.5], [0.5])


def test_how_often_a_step_is_the_last() -> None:
    skills = {"find it": "find", "hold it": "pick", "done": "done"}
    plans = [["find it", "hold it", "done"], ["find it", "hold it", "find it", "hold it", "done"]]
    assert ends(plans, skills) == {"": 1 / 4, "find": 1 / 5, "pick": 3 / 5}


def test_done_is_as_sure_as_it_was_right() -> None:
    seen = [(True, True)] * 17 + [(True, False)] + [(False, False)] * 8
    assert fit_done(seen) == DoneRule(reached=0.9, open=0.1)
    assert fit_done([]) == DoneRule(reached=0.5, open=0.5)
