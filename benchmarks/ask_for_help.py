"""When the planner asks a person, and what that buys: `python -m benchmarks.ask_for_help --json`.

Decisions on symbolic tables of which some leave open what is meant (`benchmarks.help_scenes`), with colours, nouns, verbs and sentences
that the calibration beside the skills (`scripts.calibrate_help`) has never seen. For each target: `coverage`, how often what is meant is in
the set; `set_size`; `help_rate`, how often the person is asked. Where an instruction has several meanings, each counts equally: the person
may mean any of them. With help, a person picks what is meant if it is among the options of the question; without, the best option is
run. `coverage_of_unseen_kind` is harder than what calibration promises: at one target, that of each kind of decision where the quantile is
that of all other kinds (of the same decisions).
Scores are kept: a run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from rich.progress import track

from benchmarks.common import cache, show
from benchmarks.help_scenes import KINDS, Decided, decisions
from benchmarks.kept_scores import KeptScores
from scripts.calibrate_help import calibrate
from seesay.planner.asking import Help
from seesay.planner.backends import load_scorer
from seesay.planner.conformal import HelpCalibration, confidences, help_file, load_help, prediction_set
from seesay.planner.skills import load_library

TARGETS = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
SHOWN = 0.8
"""The target behind the figures that are no lists."""
BARS = {"worst_gap": ("<=", 0.03)}


def held(decided: Decided, options: Sequence[int]) -> float:
    """Share of the meanings of which a right option is among `options`."""
    return sum(bool(right.intersection(options)) for right in decided.meanings) / len(decided.meanings)


def judge(decided: Sequence[Decided], calibration: HelpCalibration, target: float) -> dict[str, float]:
    """Coverage, set size, help rate and success with help at one target."""
    help = Help(calibration, target)
    coverage = size = asked = success = 0.0
    for each in decided:
        chosen = prediction_set(confidences(each.step, calibration.temperature), calibration.limit(target))
        coverage += held(each, chosen)
        size += len(chosen)
        asked += len(chosen) != 1
        success += held(each, [i for i, _ in help.options(each.step)])
    n = len(decided)
    return {"coverage": coverage / n, "set_size": size / n, "help_rate": asked / n, "success_with_help": success / n}


def figures(decided: Sequence[Decided], calibration: HelpCalibration) -> dict[str, Any]:
    rows = [judge(decided, calibration, target) for target in TARGETS]
    kinds = {kind: [each for each in decided if each.kind == kind] for kind in KINDS}
    made = (calibration.model, calibration.length, calibration.prompt)
    apart = {kind: calibrate([each for each in decided if each.kind != kind], *made) for kind in KINDS}

    def unaided(some: Sequence[Decided]) -> float:
        return sum(held(each, [each.step.choice or 0]) for each in some) / len(some)

    return {
        "n": len(decided), "n_calibration": calibration.n, "temperature": calibration.temperature, "target": list(TARGETS),
        **{key: [row[key] for row in rows] for key in ("coverage", "set_size", "help_rate")},
        "success_with_help": rows[TARGETS.index(SHOWN)]["success_with_help"], "success_without_help": unaided(decided),
        "success_with_help_by_target": [row["success_with_help"] for row in rows],
        "worst_gap": max(abs(row["coverage"] - target) for row, target in zip(rows, TARGETS, strict=True)),
        "worst_lack": max(target - row["coverage"] for row, target in zip(rows, TARGETS, strict=True)),
        "coverage_of_unseen_kind": {kind: judge(kinds[kind], apart[kind], SHOWN)["coverage"] for kind in KINDS},
        "by_kind": {kind: judge(some, calibration, SHOWN) | {"success_without_help": unaided(some)} for kind, some in kinds.items()},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    calibration = load_help(help_file("tabletop"))
    name = f"{calibration.model} {calibration.length}"
    calibration.check(calibration.scorer, load_library("tabletop"))

    def load() -> Any:
        return load_scorer(calibration.model, arguments.threads, calibration.length)

    scorer = KeptScores(name, load, cache("ask-for-help") / "scores.jsonl")
    some = track(decisions("test", arguments.decisions), description="decisions", total=arguments.decisions)
    show("ask for help", figures([decision.decide(scorer) for decision in some], calibration), arguments.json, BARS)


if __name__ == "__main__":
    main()
