"""The figures of `kitchen_plans`: shares with intervals by condition, and paired contrasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, bootstrap, permutation_test

from benchmarks.kitchen_runs import NextStep, Run
from seesay.planner.calibration import brier, calibration_error

LEAST = 1e-6
"""The least share in `nll`: a right step that a condition takes for impossible costs 13.8."""


def figures(runs: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
    """Shares with 95 % intervals by condition, and the paired contrasts with language only."""
    success = {name: np.array([each.success for each in of]) for name, of in runs.items()}
    combined, language, foreign = (success[name] for name in ("combined", "language_only", "foreign_affordance"))
    steps = {name: np.array([(sum(s.right for s in each.next_steps), len(each.next_steps)) for each in of]) for name, of in runs.items()}
    planned = steps["combined"][:, 1].sum() > 0
    top1_gain = (steps["combined"][:, 0].sum() - steps["language_only"][:, 0].sum()) / steps["combined"][:, 1].sum() if planned else None
    conditions = {name: condition(runs[name], steps[name]) for name in runs}
    conditions["combined"] |= overrides(_steps(runs["combined"]), _steps(runs["language_only"]))
    return {
        "gain_combined_over_language": float(combined.mean() - language.mean()),
        "p_value_combined_vs_language": mcnemar(combined, language),
        "gain_foreign_over_language": float(foreign.mean() - language.mean()),
        "p_value_combined_vs_foreign": mcnemar(combined, foreign),
        "gain_unread_over_language_unread": float(success["unread"].mean() - success["language_unread"].mean()),
        "p_value_unread_vs_language_unread": mcnemar(success["unread"], success["language_unread"]),
        "gain_combined_over_language_sum": float(combined.mean() - success["language_sum"].mean()),
        "p_value_combined_vs_language_sum": mcnemar(combined, success["language_sum"]),
        "top1_gain_combined_over_language": top1_gain,
        "top1_p_value_combined_vs_language": paired(steps["combined"][:, 0], steps["language_only"][:, 0]) if planned else None,
        "gain_closed_over_open_loop": float(success["closed_loop"].mean() - success["open_loop"].mean()),
        "p_value_closed_vs_open_loop": mcnemar(success["closed_loop"], success["open_loop"]),
        "conditions": conditions,
    }


def condition(runs: Sequence[Run], steps: NDArray[np.int_]) -> dict[str, Any]:
    """One condition. steps: `(N, 2)`, next steps that are right and all that were asked for, by scene."""
    successes = sum(each.success for each in runs)
    interval = binomtest(successes, len(runs)).proportion_ci(method="wilson")
    right, asked = steps.sum(axis=0)
    top1_interval = None
    if asked and len(runs) > 1:
        boot = bootstrap(tuple(steps.T), lambda r, n: r.sum() / n.sum(), paired=True, vectorized=False, method="percentile", rng=0)
        top1_interval = [round(float(boot.confidence_interval.low), 4), round(float(boot.confidence_interval.high), 4)]
    return {
        "plan_success": successes / len(runs),
        "plan_success_interval": [round(float(interval.low), 4), round(float(interval.high), 4)],
        "goal_recall": float(np.mean([each.goal_recall for each in runs])),
        "top1": float(right / asked) if asked else None,
        "top1_interval": top1_interval,
        **distribution(_steps(runs)),
        "n": len(runs),
        "n_steps": int(asked),
        "early_done": sum(each.said_done and not each.success for each in runs) / len(runs),
        "never_done": sum(not each.said_done for each in runs) / len(runs),
        "executability": float(np.mean(["(failed" not in step for each in runs for step in each.steps] or [True])),
    }


def distribution(steps: Sequence[NextStep]) -> dict[str, float | None]:
    """top3: share of next steps with a right phrase among the first three; nll: mean -ln of the best right phrase's share, which counts as
    1e-6 at least; ece, brier: of the choice's own share against whether it is right. None for conditions without shares.

    Steps at which nothing could be chosen have no shares: they are left out.
    """
    told = [(each.rank, each.p_right, each.confidence, each.right) for each in steps if each.rank is not None]
    if not told:
        return dict.fromkeys(("top3", "nll", "ece", "brier"))
    ranks, p_right, sure, right = map(np.array, zip(*told, strict=True))
    return {
        "top3": float(np.mean(ranks <= 3)),
        "nll": float(np.mean(-np.log(np.maximum(p_right, LEAST)))),
        "ece": calibration_error(sure, right),
        "brier": brier(sure, right),
    }


def overrides(combined: Sequence[NextStep], language: Sequence[NextStep]) -> dict[str, float | None]:
    """Share of next steps at which affordances changed the choice, and of all steps those at which that made it right, or wrong."""
    changed = [(one.right, other.right) for one, other in zip(combined, language, strict=True) if one.phrase != other.phrase]
    if not combined:
        return dict.fromkeys(("override", "override_right", "override_wrong"))
    return {
        "override": len(changed) / len(combined),
        "override_right": sum(now and not before for now, before in changed) / len(combined),
        "override_wrong": sum(before and not now for now, before in changed) / len(combined),
    }


def mcnemar(one: ArrayLike, other: ArrayLike) -> float:
    """Exact two-sided p that two paired shares are equal (McNemar 1947): a sign test over the pairs that differ."""
    a, b = np.asarray(one, bool), np.asarray(other, bool)
    first, second = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    return float(binomtest(first, first + second).pvalue) if first + second else 1.0


def paired(one: ArrayLike, other: ArrayLike) -> float:
    """Two-sided p that right steps per scene are equal: a permutation test within pairs."""
    pair = (np.asarray(one), np.asarray(other))
    test = permutation_test(pair, lambda a, b: np.sum(a) - np.sum(b), permutation_type="samples", vectorized=False, rng=0)
    return float(test.pvalue)


def _steps(runs: Sequence[Run]) -> list[NextStep]:
    return [step for each in runs for step in each.next_steps]
