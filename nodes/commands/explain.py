"""`seesay explain`: what a run's planner weighed at each step, and why one candidate won over another."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from seesay.config import from_mapping
from seesay.errors import ConfigError
from seesay.messages import PlanStep
from seesay.nodes.commands.tables import step_table
from seesay.nodes.plain import dumps, write_text
from seesay.planner.chart import picture
from seesay.planner.explain import Why, compare

LARGEST = 64 << 20


@dataclasses.dataclass(frozen=True)
class Explain:
    """The options of `seesay explain`. step: 0 for all. one, other: phrases to compare, or words of them."""

    run: Path
    step: int = 0
    one: str = ""
    other: str = ""
    rows: int = 6
    svg: Path | None = None
    as_json: bool = False


def run_explain(options: Explain) -> int:
    """Print the explanation. Raises ConfigError for a run that cannot be read, UserError for candidates that it does not have."""
    steps = load_steps(options.run)
    chosen = [step for step in steps if options.step in (0, step.step)]
    if not chosen:
        there = ", ".join(str(step.step) for step in steps) or "none"
        raise ConfigError(f"--step: expected one of the run's steps ({there}), got {options.step}; name one of them")
    if options.svg and len(chosen) > 1:
        raise ConfigError(f"--svg: expected one step, got {len(chosen)}; choose one with --step")
    pairs = [(step, compare(step, options.one, options.other)) for step in chosen]
    if options.svg:
        write_text(options.svg, picture(chosen[0], options.rows))
    if options.as_json:
        sys.stdout.write(dumps([as_dict(step, why) for step, why in pairs]) + "\n")
        return 0
    console = Console(highlight=False)
    for step, why in pairs:
        console.print(step_table(step, options.rows))
        console.print(f"Why A, {why.one.phrase!r}, and not B, {why.other.phrase!r}:", markup=False)
        for sentence in why.sentences:
            console.print(f"  {sentence}.", markup=False)
    return 0


def as_dict(step: PlanStep, why: Why) -> dict[str, Any]:
    """One step's explanation for a program."""
    choice = None if step.choice is None else step.candidates[step.choice].phrase
    return {"step": step.step, "instruction": step.instruction, "subtask": step.subtask, "choice": choice, "why": why}


def load_steps(run: Path) -> list[PlanStep]:
    """The decisions of a run, from its folder or its plan.json. Raises ConfigError for anything else."""
    path = run / "plan.json" if run.is_dir() else run
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigError(f"{path}: expected a plan of at most {LARGEST >> 20} MiB, got {path.stat().st_size} bytes")
        plan = json.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"expected the folder of a run with its plan.json, got {run} ({error.strerror}); name one") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: expected the JSON of a plan, got something else ({error}); run the demo again") from error
    steps = plan.get("steps") if isinstance(plan, dict) else None
    if not isinstance(steps, list):
        raise ConfigError(f"{path}: expected a plan with a list of steps, got none; run the demo again")
    return [_step(raw, f"{path}, step {number}") for number, raw in enumerate(steps, start=1)]


def _step(raw: Any, where: str) -> PlanStep:
    """A step from its JSON, in which an infinite score is null."""
    if not isinstance(raw, dict) or not isinstance(raw.get("candidates"), list):
        raise ConfigError(f"{where}: expected an object with candidates, got something else; run the demo again")
    candidates = [
        {**candidate, "log_score": -math.inf} if isinstance(candidate, dict) and candidate.get("log_score", 0) is None else candidate
        for candidate in raw["candidates"]
    ]
    step = from_mapping(PlanStep, {**raw, "candidates": candidates}, where)
    if step.choice is not None and not 0 <= step.choice < len(step.candidates):
        raise ConfigError(f"{where}: expected a choice among {len(step.candidates)} candidates, got {step.choice}; run the demo again")
    return step
