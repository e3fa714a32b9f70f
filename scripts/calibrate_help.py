"""Calibrate when the planner asks: `python -m scripts.calibrate_help` writes `tabletop.help.json` beside the skills.

Decisions on symbolic tables (`benchmarks.help_scenes`, the half `calibration`) go through reading, affordances and language model as in
the running system. A quarter of them fits the temperature by the likelihood of what was meant; the others give the quantiles.
Run it again after a change of the model, the length policy, the prompt or the calibration of affordances. Scores are kept: a run that was
interrupted goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from rich.progress import track

from benchmarks.common import cache
from benchmarks.help_scenes import KINDS, Decided, decisions
from benchmarks.kept_scores import KeptScores
from seesay.planner.backends import load_scorer
from seesay.planner.conformal import HelpCalibration, confidences, help_file, prompt_mark, quantile, save_help
from seesay.planner.lengths import Length
from seesay.planner.skills import load_library

TARGETS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98)
TEMPERATURES = np.geomspace(0.25, 16, 49)


def surest_right(decided: Decided, temperature: float) -> float:
    """Confidence of what was meant; of several right options that of the surest."""
    shares = confidences(decided.step, temperature)
    return float(max(shares[i] for i in decided.meanings[decided.meant]))


def fit_temperature(decided: Sequence[Decided]) -> float:
    """The temperature under which what was meant is likeliest."""
    losses = [-sum(np.log(max(surest_right(each, t), 1e-12)) for each in decided) for t in TEMPERATURES]
    return round(float(TEMPERATURES[int(np.argmin(losses))]), 3)


def calibrate(decided: Sequence[Decided], model: str, length: Length, prompt: str) -> HelpCalibration:
    """Temperature and quantiles from decisions in the order of `decisions`."""
    fitting = [each for i, each in enumerate(decided) if i // len(KINDS) % 4 == 0]
    others = [each for i, each in enumerate(decided) if i // len(KINDS) % 4]
    temperature = fit_temperature(fitting)
    strange = [1.0 - surest_right(each, temperature) for each in others]
    quantiles = {f"{target:.2f}": round(q, 6) for target in TARGETS if (q := quantile(strange, target)) <= 1.0}
    return HelpCalibration(model, length, prompt, len(others), temperature, quantiles)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lm", default="gemma3-270m")
    parser.add_argument("--length", choices=get_args(Length), default="sum")
    parser.add_argument("--decisions", type=int, default=1200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=help_file("tabletop"))
    arguments = parser.parse_args()
    scores = cache("ask-for-help") / "scores.jsonl"
    name = f"{arguments.lm} {arguments.length}"
    scorer = KeptScores(name, lambda: load_scorer(arguments.lm, arguments.threads, arguments.length), scores)
    some = track(decisions("calibration", arguments.decisions), description="decisions", total=arguments.decisions)
    decided = [decision.decide(scorer) for decision in some]
    made = calibrate(decided, arguments.lm, arguments.length, prompt_mark(load_library("tabletop")))
    save_help(made, arguments.out)
    print(f"{arguments.out}: temperature {made.temperature}, quantiles {dict(made.quantiles)} from {made.n} decisions")


if __name__ == "__main__":
    main()
