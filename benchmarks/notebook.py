"""The 17 tasks of `data/tabletop_suite.json` (SayCan's nine demonstration tasks and eight others) on ten tables each."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.progress import track

from benchmarks.episodes import as_row, run_episode
from seesay.perception import Detector, Segmenter
from seesay.planner.language import LanguageScorer
from seesay.planner.saycan import Mode
from seesay.planner.skills import Library
from seesay.sim.goals import All, Atom, Goal, Not
from seesay.sim.tasks import suite_task

CONDITIONS = ("combined", "language_only", "affordance_only", "oracle_perception", "unread")
"""`unread`: combined, but the planner does not read quantifiers and sequences: plain SayCan."""
BARS = {"success": (">=", 0.60), "success_single": (">=", 0.90), "minutes": ("<=", 30.0)}
FIRST_SEED = 7000
Key = tuple[int, int, str]
"""Task, seed, condition."""
SUITE = Path(__file__).parent / "data" / "tabletop_suite.json"


def oracle_steps(goal: Goal) -> int:
    """Steps of the shortest plan."""
    match goal:
        case All():
            return sum(map(oracle_steps, goal.goals))
        case Not():
            return oracle_steps(goal.goal)
        case Atom():
            several = {"distinct_corners": len(goal.names), "one_stack": len(goal.names) - 1}
            return several.get(goal.relation, 4 if "visited" in goal.relation else 1)


def run(
    path: Path,
    seeds: int,
    conditions: Sequence[str],
    detector: Detector | None,
    segmenter: Segmenter | None,
    library: Library,
    scorer: LanguageScorer,
) -> dict[str, Any]:
    """Run what is not in the file `path` yet, and return the figures. An episode may take twice the shortest plan's steps, 3 at least."""
    suite = json.loads(SUITE.read_text())
    rows: dict[Key, dict[str, Any]] = {}
    if path.exists():
        for row in [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]:
            rows[row["task"], row["seed"], row["condition"]] = row
    wanted = [(task, seed, c) for seed in range(FIRST_SEED, FIRST_SEED + seeds) for task in range(len(suite["tasks"])) for c in conditions]
    with path.open("a") as file:
        for task, seed, condition in track([key for key in wanted if key not in rows], description="episodes"):
            started = time.perf_counter()
            entry = suite["tasks"][task]
            assignment = suite_task(entry, seed, suite["start"].get(entry["instruction"]))
            eyes = (None, None) if condition == "oracle_perception" else (detector, segmenter)
            mode: Mode = "combined"
            if condition in ("language_only", "affordance_only"):
                mode = "language_only" if condition == "language_only" else "affordance_only"
            assert assignment.goal is not None
            limit = max(3, 2 * oracle_steps(assignment.goal))
            episode = run_episode(assignment, seed, mode, *eyes, library, scorer, max_steps=limit, expand=condition != "unread")
            row = as_row(episode) | {"task": task, "condition": condition, "wall_s": round(time.perf_counter() - started, 2)}
            rows[task, seed, condition] = row
            file.write(json.dumps(row) + "\n")
            file.flush()
    return figures(rows, wanted, suite["tasks"])


def figures(rows: Mapping[Key, Mapping[str, Any]], wanted: Sequence[Key], tasks: Sequence[Any]) -> dict[str, Any]:
    """Shares of success, over all tasks, by task, over the nine of the notebook and over the plain single pick-and-place ones."""
    done = [rows[key] for key in wanted if key in rows]
    of = {condition: [row for row in done if row["condition"] == condition] for condition in CONDITIONS}
    combined = of["combined"]
    nine = [row for row in combined if tasks[row["task"]]["suite"] == "notebook"]
    plain = [isinstance(task["goal"], list) and task["goal"][0] in ("in", "on", "at") for task in tasks]
    single = [row for row in combined if plain[row["task"]]]
    return {
        "n": len(combined), "success": _share(combined), "success_language_only": _share(of["language_only"]),
        "success_affordance_only": _share(of["affordance_only"]), "success_oracle_perception": _share(of["oracle_perception"]),
        "success_unread": _share(of["unread"]), "success_nine": _share(nine), "success_single": _share(single),
        "minutes": sum(row["wall_s"] for row in done) / 60,
        "by_task": [
            {"instruction": task["instruction"], "suite": task["suite"], "objects": task["objects"]}
            | {condition: _share([row for row in of[condition] if row["task"] == index]) for condition in CONDITIONS if of[condition]}
            for index, task in enumerate(tasks)
        ],
    }  # fmt: skip


def _share(rows: Sequence[Mapping[str, Any]]) -> float | None:
    return sum(row["success"] for row in rows) / len(rows) if rows else None
