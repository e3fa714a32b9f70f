"""Fit what the kitchen's planner knows beside its skills: `python -m scripts.calibrate_kitchen` writes `kitchen.calibration.json`.

From the known plans of the development scenes, their right steps being done one after the other, with the rule of succession:

    done.after       SayCan's main error is an early `done` (arXiv:2204.01691, 5.1): how often a task ends after a step of each skill
    done.reached     how often it ends where the errands that were read (`seesay.planner.errands`) are over, and `done.open` where not
    idle             how often the right step is one that the instruction plainly does not ask for
    temperature      of the language model (`--lm`): under which the right steps are the most probable, among TEMPERATURES
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import cache
from benchmarks.kept_scores import KeptScores
from benchmarks.kitchen_choosers import UNSEEN
from benchmarks.kitchen_plans import DATA
from seesay.messages import Header, Instruction, PlanStep
from seesay.planner.affordance import AffordanceModel
from seesay.planner.agenda import Agenda
from seesay.planner.calibration import Calibration, DoneRule, library_file
from seesay.planner.language import LanguageScorer
from seesay.planner.lengths import LengthScorer
from seesay.planner.prompt import StepRecord
from seesay.planner.pursuit import Pursuit, agenda_of
from seesay.planner.saycan import SayCan
from seesay.planner.skills import Library, load_library
from seesay.planner.transformers_scorer import TransformersScorer
from seesay.sim.kitchen import Kitchen
from seesay.sim.kitchen_scenes import KitchenScene, read_classes, read_scenes

TEMPERATURES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)
Reader = Agenda | Pursuit


def ends(plans: Iterable[Sequence[str]], skills: Mapping[str, str]) -> dict[str, float]:
    """How often `done` is the right next step after a step of a skill, "" for before the first. skills: phrase -> skill."""
    asked, right = Counter[str](), Counter[str]()
    for plan in plans:
        for last, following in zip(("", *plan), plan, strict=False):
            skill = skills.get(last, "")
            asked[skill] += 1
            right[skill] += skills[following] == "done"
    return {skill: share(right[skill], asked[skill]) for skill in sorted(asked)}


def share(right: int, asked: int) -> float:
    """Laplace's rule of succession."""
    return round((right + 1) / (asked + 2), 5)


@dataclass(frozen=True)
class Look:
    """Before a step of a plan: the step that is right, what is read of the instruction by then, and the kitchen."""

    right: str
    agenda: Reader
    kitchen: Kitchen
    history: tuple[StepRecord, ...]


def read_along(scene: KitchenScene, library: Library) -> Iterator[Look]:
    """Along a scene's plan, where its instruction can be read."""
    agenda, kitchen, history = agenda_of(scene.instruction, library), Kitchen(scene.start()), list[StepRecord]()
    options = {option.phrase: option for option in library.candidates()}
    for step in scene.plans[0] if agenda else ():
        assert agenda is not None
        yield Look(step, agenda, kitchen, tuple(history))
        agenda.record(StepRecord(step))
        history.append(StepRecord(step))
        kitchen.attempt(options[step].skill, next(iter(options[step].arguments.values()), ""))


def fit_reading(scenes: Sequence[KitchenScene], library: Library) -> tuple[float, float, float]:
    """`done.reached`, `done.open` and `idle`."""
    reached, still_open, idle = list[bool](), list[bool](), list[bool]()
    for look in (look for scene in scenes for look in read_along(scene, library)):
        subtask = look.agenda.next(look.kitchen.truth())
        (still_open if look.agenda.current else reached).append(look.right == library.done_phrase)
        idle.append(look.right in subtask.idle)
    return share(sum(reached), len(reached)), share(sum(still_open), len(still_open)), share(sum(idle), len(idle))


def fit_temperature(scenes: Sequence[KitchenScene], library: Library, scorer: LanguageScorer) -> tuple[float, dict[str, float]]:
    """The temperature of the least mean -log p(right step), and that figure for each."""
    saycan = SayCan(library, LengthScorer(scorer, "pmi"), affordances=AffordanceModel(unseen=UNSEEN))
    losses: dict[float, list[float]] = {temperature: [] for temperature in TEMPERATURES}
    for scene in scenes:
        for look in read_along(scene, library):
            now, seen, hand = look.kitchen.time_ns, look.kitchen.truth(), look.kitchen.arm_state()
            order = Instruction(Header(now, clock="sim"), scene.id, scene.instruction)
            decided = saycan.decide(order, look.history, seen, now, hand, look.agenda.next(seen))
            for temperature in TEMPERATURES:
                losses[temperature].append(_loss(decided, look.right, temperature))
    means = {temperature: float(np.mean(loss)) for temperature, loss in losses.items()}
    return min(means, key=lambda temperature: means[temperature]), {f"{key:g}": round(value, 4) for key, value in means.items()}


def _loss(step: PlanStep, right: str, temperature: float) -> float:
    possible = [each for each in step.candidates if each.affordance > 0.0 and each.log_p_language is not None]
    scores = np.array([(each.log_p_language or 0.0) / temperature + np.log(each.affordance) for each in possible])
    of_right = scores[[each.phrase == right for each in possible]]
    return float(np.logaddexp.reduce(scores) - of_right[0]) if len(of_right) else 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=library_file("kitchen").with_suffix(".calibration.json"))
    parser.add_argument("--lm", default="gemma3-270m")
    arguments = parser.parse_args()
    library = load_library("kitchen")
    scenes = [scene for scene in read_scenes(DATA / "development.json", read_classes(DATA / "classes.json")) if scene.plans]
    phrases = [option.phrase for option in library.candidates()]
    keep = cache("kitchen_plans") / f"{arguments.lm.replace('/', '-')}.jsonl"
    scorer = KeptScores(arguments.lm, lambda: TransformersScorer.from_pretrained(arguments.lm), keep, phrases)
    after = ends([scene.plans[0] for scene in scenes], {option.phrase: option.skill for option in library.candidates()})
    reached, still_open, idle = fit_reading(scenes, library)
    calibrated = replace(library, calibration=Calibration({}, done=DoneRule(reached, still_open, after), idle=idle))
    temperature, losses = fit_temperature(scenes, calibrated, scorer)
    fitted: dict[str, Any] = {
        "skills": {}, "done": {"reached": reached, "open": still_open, "after": after}, "idle": idle, "temperature": temperature,
        "figures": {"plans": len(scenes), "loss_by_temperature": losses, "lm": arguments.lm},
    }  # fmt: skip
    arguments.out.write_text(json.dumps(fitted, indent=1) + "\n")
    print(f"{arguments.out}: {fitted}")


if __name__ == "__main__":
    main()
