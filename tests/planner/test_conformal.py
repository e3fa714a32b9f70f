"""Prediction sets: the coverage that is promised, the quantile by hand, and calibrations that do not fit."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seesay.errors import SkillError
from seesay.messages import Candidate, Header, PlanStep
from seesay.planner.calibration import Calibration
from seesay.planner.conformal import HelpCalibration, confidences, help_file, load_help, prediction_set, prompt_mark, quantile, save_help
from seesay.planner.skills import load_library

LIBRARY = load_library()
HELP = HelpCalibration("gemma", "sum", prompt_mark(LIBRARY), 100, 2.0, {"0.70": 0.5, "0.80": 0.8, "0.90": 0.95})


def test_quantile_by_hand() -> None:
    """Of 9 numbers, 0.8 takes the ceil(10 * 0.8) = 8th; 0.95 would take the tenth."""
    numbers = [0.9, 0.1, 0.5, 0.3, 0.7, 0.2, 0.8, 0.4, 0.6]
    assert quantile(numbers, 0.8) == 0.8
    assert quantile(numbers, 0.9) == 0.9
    assert quantile(numbers, 0.95) == math.inf
    assert quantile([], 0.5) == math.inf


def test_too_few_calibration_decisions_leave_everything_possible_open() -> None:
    assert prediction_set([0.7, 0.0, 0.3], quantile([0.1] * 3, 0.95)) == (0, 2)


@pytest.mark.parametrize(("target", "n"), [(0.7, 19), (0.9, 19), (0.8, 100)])
def test_coverage_on_exchangeable_data(target: float, n: int) -> None:
    """Over many draws of calibration and test decisions, the share covered lies between target and target + 1 / (n + 1), up to chance."""
    rng = np.random.default_rng([n, int(100 * target)])
    trials, options = 1500, 6
    covered = 0
    for _ in range(trials):
        scores = rng.normal(0, 2, (n + 1, options))
        shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        meant = [rng.choice(options, p=0.5 * row + 0.5 / options) for row in shares]   # a model that is too sure of itself
        strange = [1.0 - row[i] for row, i in zip(shares[:n], meant[:n], strict=True)]
        covered += meant[n] in prediction_set(shares[n], quantile(strange, target))
    margin = 4 * math.sqrt(target * (1 - target) / trials)
    assert target - margin <= covered / trials <= target + 1 / (n + 1) + margin


def decision(*terms: tuple[float | None, float]) -> PlanStep:
    """A decision over candidates of these log-probabilities and affordances."""
    options = tuple(Candidate(str(i), "pick", {}, log_p, can, 0.0, 0.0) for i, (log_p, can) in enumerate(terms))
    return PlanStep(Header(0), "i", "do", 1, options, 0)


@given(st.lists(st.floats(-50, 0), min_size=1, max_size=8), st.floats(0.5, 8))
def test_confidences_keep_the_order_and_sum_to_one(scores: list[float], temperature: float) -> None:
    shares = confidences(decision(*[(score, 0.5) for score in scores], (None, 0.0), (-0.1, 0.0)), temperature)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[-2:].tolist() == [0.0, 0.0]
    assert shares[int(np.argmax(scores))] == shares.max()


def test_temperature_is_for_the_language_model_alone() -> None:
    """exp(-2 / 2) x 0.5 against exp(-4 / 2) x 1.0."""
    shares = confidences(decision((-2.0, 0.5), (-4.0, 1.0)), 2.0)
    assert shares[0] / shares[1] == pytest.approx(math.exp(1) * 0.5)


def test_nothing_possible_has_no_confidence() -> None:
    assert confidences(decision((-1.0, 0.0), (-math.inf, 0.5)), 1.0).tolist() == [0.0, 0.0]
    assert prediction_set([0.0, 0.0], math.inf) == ()


def test_the_target_that_is_enough() -> None:
    assert [HELP.limit(target) for target in (0.0, 0.7, 0.71, 0.9)] == [0.5, 0.5, 0.8, 0.95]
    with pytest.raises(SkillError, match=r"at most 0\.90"):
        HELP.limit(0.99)


def test_another_model_policy_prompt_or_affordance_is_refused() -> None:
    HELP.check("gemma", LIBRARY)
    HELP.check("gemma", LIBRARY.with_objects(blocks=["pink cup"]))
    replace(HELP, length="pmi").check("gemma (pmi)", LIBRARY)
    fitted = Calibration({"pick_and_place": ((0.1, 0.9), (0.2, 0.8))})
    for scorer, library in (
        ("other", LIBRARY), ("gemma (pmi)", LIBRARY), ("gemma", replace(LIBRARY, introduction="Hi")),
        ("gemma", replace(LIBRARY, calibration=fitted)),
    ):  # fmt: skip
        with pytest.raises(SkillError, match=r"asking needs a calibration .*run python -m scripts\.calibrate_help"):
            HELP.check(scorer, library)


def test_file_round_trip(tmp_path: Path) -> None:
    save_help(HELP, tmp_path / "x.help.json")
    assert load_help(tmp_path / "x.help.json") == HELP


@pytest.mark.parametrize(
    "change", [{"quantiles": {"0.8": 2.0}}, {"quantiles": {}}, {"quantiles": 3}, {"n": 0}, {"temperature": 0}, {"temperature": "x"}]
)
def test_a_wrong_file_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "x.help.json"
    save_help(HELP, path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(SkillError, match=r"x\.help\.json: expected a calibration of help"):
        load_help(path)
    with pytest.raises(SkillError, match="No such file"):
        load_help(tmp_path / "none.help.json")


def test_the_calibration_that_ships_fits_the_library_that_ships() -> None:
    shipped = load_help(help_file("tabletop"))
    shipped.check("gemma3-270m", load_library("tabletop"))
    limits = [shipped.limit(target) for target in (0.5, 0.7, 0.8, 0.9, 0.95)]
    assert limits == sorted(limits)
    assert 0.0 < limits[0] < limits[-1] <= 1.0
