"""Plans in SayCan's kitchen, by symbols: `python -m benchmarks.kitchen_plans --json [--scenes FILE --classes FILE]`.

Each condition plans every scene by itself until it says `done` (plan success: the goal holds then, within twice the steps of the shortest
plan), and is asked for the next step at each place along the scene's known plan (top1; null without plans). All conditions choose among
the same 61 phrases and hear of failed steps; those with a language model have the same examples before the instruction.

    combined            language x affordance, the kitchen seen with the misses and false alarms of a detector; errands are read, one after
                        the other is pursued, and what they plainly ask for counts among the affordances (`seesay.planner.errands`)
    language_only       the same words to the language model, without affordances
    unread              plain SayCan: combined, but the instruction goes to the language model as it is; language_unread likewise
    language_sum        language_only with SayCan's plain sums of log-probabilities in place of the length policy
    language_mean       language_only with the mean log-probability of a token
    mcqa                combined, with KnowNo's letters of a short list in place of the phrases' own probabilities
    generative          the model writes the next line by itself; the phrase most like it by difflib's ratio is taken
    affordance_only     combined without language
    oracle_perception   combined, with everything seen as it is
    foreign_affordance  the control: combined, with affordances of another scene
    closed_loop         combined, where one step in five fails by chance
    open_loop           the same, but all steps are planned from the first look, each taken for a success, and then run blindly
    random_feasible     any step that is likely to succeed
    keyword             no language model: names in the instruction, a few verbs, fixed patterns

The declared contrast is combined against language_only in plan success, by McNemar's exact test over the same scenes. Chance (what is
missed, what fails) hangs on the scene and the number of the step alone, so that conditions are paired.

Beside shares with intervals each condition has goal_recall (share of the goal's conditions that hold in the end); over the next steps top3,
nll, ece and brier (null without a probability for each phrase); and, combined alone, override (affordances changed the choice),
override_right and override_wrong. seconds_per_step and tokens_forwarded (a step) are measured with the model itself along the plans of the
first `--live` scenes, the fixed part of the prompt being in its cache (null for conditions that ask as combined does, or not at all).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from functools import cache as once
from pathlib import Path
from typing import Any

from rich.progress import track

from benchmarks.common import cache, show
from benchmarks.greedy_lines import GreedyLines, KeptLines, Write
from benchmarks.kept_scores import KeptScores
from benchmarks.kitchen_choosers import CONDITIONS, chooser
from benchmarks.kitchen_figures import figures
from benchmarks.kitchen_runs import Run, next_steps, run
from seesay.planner.language import LanguageScorer
from seesay.planner.local_model import load_tokenizer
from seesay.planner.prompt import Dialogue
from seesay.planner.skills import Library, load_library
from seesay.planner.transformers_scorer import TransformersScorer
from seesay.sim.kitchen_scenes import KitchenScene, read_classes, read_scenes

DATA = Path(__file__).parent / "data" / "kitchen"
BARS = {"p_value_combined_vs_language": ("<=", 0.05)}
COSTS = ("combined", "language_only", "language_sum", "language_mean", "mcqa", "generative")
"""Conditions that differ in what they ask of the model."""


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, default=DATA / "test.json", help="scene file; development.json is what was tuned on")
    parser.add_argument("--classes", type=Path, default=DATA / "classes.json", help="what the scenes' goals call fruit, drink, ...")
    parser.add_argument("--lm", default="gemma3-270m")
    parser.add_argument("--live", type=int, default=2, help="scenes along whose plans the cost of a step is measured, 0 for none")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    scenes = read_scenes(arguments.scenes, read_classes(arguments.classes))
    library = load_library("kitchen")
    name = arguments.lm.replace("/", "-")
    folder = cache("kitchen_plans")
    scorer = once(lambda: TransformersScorer.from_pretrained(arguments.lm))
    writer = once(lambda: GreedyLines(scorer().model, load_tokenizer(arguments.lm)))
    phrases = [option.phrase for option in library.candidates()]
    known = KeptScores(arguments.lm, scorer, folder / f"{name}.jsonl", phrases)
    got = figures(evaluate(scenes, library, known, KeptLines(arguments.lm, writer, folder / f"{name}.lines.jsonl")))
    live = costs(scenes[: arguments.live], library, scorer(), writer()) if arguments.live else {}
    nothing = dict.fromkeys(("seconds_per_step", "tokens_forwarded"))
    got["conditions"] = {name: each | live.get(name, nothing) for name, each in got["conditions"].items()}
    show("kitchen_plans", {"scenes": arguments.scenes.name, **got}, arguments.json, BARS)


def evaluate(scenes: Sequence[KitchenScene], library: Library, scorer: LanguageScorer, write: Write) -> dict[str, list[Run]]:
    """Every scene under every condition."""
    runs: dict[str, list[Run]] = {name: [] for name in CONDITIONS}
    choosers = {name: chooser(condition, library, scorer, write) for name, condition in CONDITIONS.items()}
    for number, scene in enumerate(track(scenes, description="scenes")):
        foreign = scenes[(number + len(scenes) // 3) % len(scenes)]
        for name, condition in CONDITIONS.items():
            runs[name].append(run(scene, foreign, condition.eyes, library, choosers[name], condition.fails, condition.reads))
    return runs


def costs(scenes: Sequence[KitchenScene], library: Library, scorer: TransformersScorer, write: GreedyLines) -> dict[str, dict[str, Any]]:
    """Seconds and tokens of a step, asked of the model itself along the scenes' plans."""
    measured = {}
    for name in track(COSTS, description="costs"):
        choose = chooser(CONDITIONS[name], library, scorer, write)
        scorer.warm(Dialogue(library).base())
        tokens, start = scorer.tokens_forwarded + write.tokens_forwarded, time.perf_counter()
        n = sum(len(list(next_steps(scene, scene, CONDITIONS[name].eyes, library, choose, CONDITIONS[name].reads))) for scene in scenes)
        spent = time.perf_counter() - start
        forwarded = scorer.tokens_forwarded + write.tokens_forwarded - tokens
        if n:
            measured[name] = {"seconds_per_step": spent / n, "tokens_forwarded": forwarded / n}
    return measured


if __name__ == "__main__":
    main()
