"""Plans in SayCan's kitchen, by symbols: `python -m benchmarks.kitchen_plans --json [--scenes FILE --classes FILE]`.

Each condition plans every scene by itself until it says `done` (plan success: the goal holds then, within twice the steps of the shortest
plan), and is asked for the next step at each place along the scene's known plan (top1; null without plans). All conditions choose among
the same 61 phrases and hear of failed steps; those with a language model have the same examples before the instruction.

    combined            language x affordance, the kitchen seen with the misses and false alarms of a detector; errands are read, one after
                        the other is pursued, and what they plainly ask for counts among the affordances (`seesay.planner.errands`)
    language_only       the same words to the language model, without affordances
    unread              plain SayCan: combined, but the instruction goes to the language model as it is; language_unread likewise
    language_sum        the same with SayCan's plain sums of log-probabilities in place of the length policy
    affordance_only     the same without language
    oracle_perception   combined, with everything seen as it is
    foreign_affordance  the control: combined, with affordances of another scene
    random_feasible     any step that is likely to succeed
    keyword             no language model: names in the instruction, a few verbs, fixed patterns

The declared contrast is combined against language_only in plan success, by McNemar's exact test over the same scenes.
"""

from __future__ import annotations

import argparse
import random
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from rich.progress import track
from scipy.stats import binomtest, bootstrap, permutation_test

from benchmarks.common import cache, show
from benchmarks.kept_scores import KeptScores
from benchmarks.keyword_planner import keyword_plan
from benchmarks.kitchen_runs import Choose, Episode, Eyes, Run, run
from seesay.messages import Header, Instruction, PlanStep
from seesay.planner.affordance import AffordanceModel
from seesay.planner.language import LanguageScorer
from seesay.planner.lengths import Length, LengthScorer
from seesay.planner.pursuit import agenda_of
from seesay.planner.saycan import Mode, SayCan
from seesay.planner.skills import DONE, Library, load_library
from seesay.planner.transformers_scorer import TransformersScorer
from seesay.sim.kitchen_scenes import KitchenScene, read_classes, read_scenes

DATA = Path(__file__).parent / "data" / "kitchen"
LIKELY = 0.5
"""Affordance from which on a step counts as feasible."""
UNSEEN = 0.02
"""p(success) of searching for what is not seen: with the whole kitchen in view, the share of unseen kinds that are there but missed."""
BARS = {"p_value_combined_vs_language": ("<=", 0.05)}
CONDITIONS: dict[str, tuple[Mode | None, Eyes, Length]] = {
    "combined": ("combined", "noisy", "pmi"),
    "language_only": ("language_only", "noisy", "pmi"),
    "language_sum": ("language_only", "noisy", "sum"),
    "unread": ("combined", "noisy", "pmi"),
    "language_unread": ("language_only", "noisy", "pmi"),
    "affordance_only": ("affordance_only", "noisy", "pmi"),
    "oracle_perception": ("combined", "oracle", "pmi"),
    "foreign_affordance": ("combined", "foreign", "pmi"),
    "random_feasible": ("affordance_only", "noisy", "pmi"),
    "keyword": (None, "oracle", "pmi"),
}
"""What each has of the planner, what it sees, and how it scores phrases."""


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, default=DATA / "test.json", help="scene file; development.json is what was tuned on")
    parser.add_argument("--classes", type=Path, default=DATA / "classes.json", help="what the scenes' goals call fruit, drink, ...")
    parser.add_argument("--lm", default="gemma3-270m")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    scenes = read_scenes(arguments.scenes, read_classes(arguments.classes))
    library = load_library("kitchen")
    keep = cache("kitchen_plans") / f"{arguments.lm.replace('/', '-')}.jsonl"
    phrases = [option.phrase for option in library.candidates()]
    known = KeptScores(arguments.lm, lambda: TransformersScorer.from_pretrained(arguments.lm), keep, phrases)
    runs = evaluate(scenes, library, known)
    show("kitchen_plans", {"scenes": arguments.scenes.name, **figures(runs)}, arguments.json, BARS)


def evaluate(scenes: Sequence[KitchenScene], library: Library, scorer: LanguageScorer) -> dict[str, list[Run]]:
    """Every scene under every condition."""
    runs: dict[str, list[Run]] = {name: [] for name in CONDITIONS}
    choosers = {name: chooser(name, library, scorer) for name in CONDITIONS}
    for number, scene in enumerate(track(scenes, description="scenes")):
        foreign = scenes[(number + len(scenes) // 3) % len(scenes)]
        for name, (_, eyes, _) in CONDITIONS.items():
            runs[name].append(run(scene, foreign, eyes, library, choosers[name]))
    return runs


def chooser(condition: str, library: Library, scorer: LanguageScorer) -> Choose:
    """How a condition chooses the next step."""
    mode, _, length = CONDITIONS[condition]
    reads = "unread" not in condition
    if mode is None:
        return _keywords
    saycan = SayCan(library, LengthScorer(scorer, length), mode=mode, affordances=AffordanceModel(unseen=UNSEEN))

    def decide(episode: Episode) -> PlanStep:
        now = episode.kitchen.time_ns
        order = Instruction(Header(now, clock="sim"), episode.scene.id, episode.scene.instruction)
        seen = episode.look()
        if reads and not episode.history:
            episode.agenda = agenda_of(episode.scene.instruction, library)
        subtask = episode.agenda.next(seen) if episode.agenda else None
        return saycan.decide(order, episode.history, seen, now, episode.body.arm_state(), subtask)

    def best(episode: Episode) -> str | None:
        step = decide(episode)
        while step.choice is not None and step.candidates[step.choice].skill == DONE and episode.agenda and not episode.agenda.finish():
            step = decide(episode)
        return None if step.choice is None else step.candidates[step.choice].phrase

    def likely(episode: Episode) -> str:
        rng = random.Random(zlib.crc32(f"{episode.scene.id}/{len(episode.history)}".encode()))
        feasible = [each.phrase for each in decide(episode).candidates if each.affordance >= LIKELY or each.skill == DONE]
        return rng.choice(feasible)

    return likely if condition == "random_feasible" else best


def _keywords(episode: Episode) -> str:
    plan = keyword_plan(episode.scene.instruction)
    return plan[min(len(episode.history), len(plan) - 1)]


def figures(runs: dict[str, list[Run]]) -> dict[str, Any]:
    """Shares with 95 % intervals by condition, and the paired contrasts with language only."""
    success = {name: np.array([each.success for each in of]) for name, of in runs.items()}
    combined, language, foreign = (success[name] for name in ("combined", "language_only", "foreign_affordance"))
    steps = {name: np.array([(sum(each.next_steps), len(each.next_steps)) for each in of]) for name, of in runs.items()}
    planned = steps["combined"][:, 1].sum() > 0
    top1_gain = (steps["combined"][:, 0].sum() - steps["language_only"][:, 0].sum()) / steps["combined"][:, 1].sum() if planned else None
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
        "conditions": {name: _condition(runs[name], steps[name]) for name in runs},
    }


def _condition(runs: Sequence[Run], steps: np.ndarray[Any, Any]) -> dict[str, Any]:
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
        "top1": float(right / asked) if asked else None,
        "top1_interval": top1_interval,
        "n": len(runs),
        "n_steps": int(asked),
        "early_done": sum(each.said_done and not each.success for each in runs) / len(runs),
        "never_done": sum(not each.said_done for each in runs) / len(runs),
        "executability": float(np.mean(["(failed" not in step for each in runs for step in each.steps] or [True])),
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


if __name__ == "__main__":
    main()
