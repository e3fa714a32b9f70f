"""Calibration tables: evaluation, figures, and what a wrong file says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seesay.errors import SkillError
from seesay.planner.calibration import Calibration, DoneRule, brier, calibration_error, load_calibration, table_of

TABLE = Calibration({"pick": ((0.1, 0.5, 0.9), (0.2, 0.2, 0.8))})


def test_between_and_beyond_the_fitted_points() -> None:
    assert [TABLE.probability("pick", raw) for raw in (0.05, 0.3, 0.7, 1.0)] == pytest.approx([0.2, 0.2, 0.5, 0.8])
    assert TABLE.probability("other", 0.3) == 0.3


def test_what_is_impossible_stays_so() -> None:
    assert TABLE.probability("pick", 0.0) == 0.0


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_evidence_never_lowers(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0.0 <= TABLE.probability("pick", low) <= TABLE.probability("pick", high) <= 1.0


def test_figures_by_hand() -> None:
    assert brier([0.5, 1.0], [1, 1]) == pytest.approx(0.125)
    assert calibration_error([0.95, 0.95, 0.15, 0.15], [1, 1, 0, 1]) == pytest.approx(0.5 * 0.05 + 0.5 * 0.35)
    assert calibration_error([1.0, 0.0], [1, 0]) == 0.0


def test_file_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "x.calibration.json"
    assert load_calibration(path) is None
    path.write_text(json.dumps({"skills": {"pick": table_of([0.1, 0.5], [0.2, 0.7])}, "figures": {"n": 3}}))
    read = load_calibration(path)
    assert read is not None
    assert read.done == DoneRule()
    assert read.tables == {"pick": ((0.1, 0.5), (0.2, 0.7))}
    assert read.figures == {"n": 3}


@pytest.mark.parametrize(
    "text",
    [
        "[", "[]", "{}", '{"skills": {"pick": {"raw": [0.1], "share": [0.2, 0.3]}}}',
        '{"skills": {"pick": {"raw": [0.5, 0.1], "share": [0, 1]}}}',
        '{"skills": {"pick": {"raw": [0.1, 0.5], "share": [1, 0]}}}', '{"skills": {"pick": {"raw": [0.1], "share": [NaN]}}}',
        '{"skills": {"pick": {"raw": [0.1], "share": [1.5]}}}', '{"skills": {"pick": {"raw": [], "share": []}}}',
        '{"skills": {}, "done": {"reached": 0.9, "open": 0.95}}', '{"skills": {}, "done": {"reached": NaN, "open": 0.1}}',
        '{"skills": {}, "done": {"after": {"pick": 1.5}}}', '{"skills": {}, "done": {"after": [0.5]}}',
        '{"skills": {}, "done": {"reached": 0.9, "half": 0.1}}', '{"skills": {}, "done": 0.9}',
        '{"skills": {}, "idle": 1.5}', '{"skills": {}, "temperature": 0}', '{"skills": {}, "temperature": NaN}',
    ],
)  # fmt: skip
def test_a_wrong_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.calibration.json"
    path.write_text(text)
    with pytest.raises(SkillError, match=r"x\.calibration\.json: expected a calibration"):
        load_calibration(path)
