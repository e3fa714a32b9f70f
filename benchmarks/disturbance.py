"""Closed loop against open loop while things are moved and dropped in mid-plan: `python -m benchmarks.disturbance --json`.

The tasks are those of the notebook suite. In half of the episodes, once, at a random step, one of three things happens to what the step
moves: a person moves it while the arm is on its way, it drops out of the gripper on the way to its place, or a person takes it away again
after it was put down. Open loop takes every step for a success and verifies nothing; both see where things are before each step.
Published on a real kitchen robot disturbed by people (Inner Monologue, arXiv:2207.05608): 60 % with feedback, 31 % without (SayCan).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from benchmarks import notebook
from benchmarks.common import cache, circumstances, show
from benchmarks.episodes import as_row, run_episode
from benchmarks.kept_scores import KeptScores
from seesay.executor import Report
from seesay.messages import SkillFeedback, SkillGoal, SkillResult
from seesay.perception import Detector, Segmenter
from seesay.planner.skills import load_library
from seesay.planner.transformers_scorer import TransformersScorer
from seesay.sim.oracle import free_spot, move_by_hand
from seesay.sim.tasks import suite_task
from seesay.sim.world import World

FIRST_SEED = 8000
KINDS = ("moved", "dropped", "taken away")
PUBLISHED = {"published_closed_loop": 0.604, "published_open_loop": 0.308}
BARS = {"closed_loop": (">=", 0.60)}


class Meddler:
    """Moves the thing of one step by hand, once, in the way of `kind`. `did` says what it did, empty until then."""

    def __init__(self, seed: int, steps: int) -> None:
        self._rng = np.random.default_rng([seed, 31])
        self.kind = KINDS[int(self._rng.integers(len(KINDS)))]
        self._step = int(self._rng.integers(steps))
        self.did = ""

    def __call__(self, world: World, goal: SkillGoal, report: Report) -> None:
        if self.did:
            return
        ended = isinstance(report, SkillResult)
        phase = report.phase if isinstance(report, SkillFeedback) else ""
        now = {"moved": phase == "go above the object", "dropped": phase == "carry", "taken away": ended}[self.kind]
        if now and self._step == 0:
            name = goal.targets["object"].label
            move_by_hand(world, name, free_spot(world, self._rng, name))
            self.did = f"{name} {self.kind}"
        self._step -= ended


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4, help="tables for each of the 17 tasks, every other one disturbed")
    parser.add_argument("--lm", default="gemma3-270m")
    parser.add_argument("--keep", type=Path, help="file of finished episodes; by default one per commit in the cache")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    path = arguments.keep or cache("disturbance") / f"{circumstances()['commit'] or 'none'}.jsonl"
    suite = json.loads(notebook.SUITE.read_text())
    library = load_library("tabletop")
    detector, segmenter = Detector.from_pretrained("embedded"), Segmenter.from_pretrained("embedded")
    phrases = [option.phrase for option in library.candidates()]
    scorer = KeptScores(arguments.lm, lambda: TransformersScorer.from_pretrained(arguments.lm), together=phrases)
    lines = path.read_text().splitlines() if path.exists() else []
    rows = {(row["task"], row["seed"], row["loop"]): row for row in (json.loads(line) for line in lines if line.endswith("}"))}
    seeds = range(FIRST_SEED, FIRST_SEED + arguments.seeds)
    wanted = [(task, seed, loop) for seed in seeds for task in range(len(suite["tasks"])) for loop in ("closed", "open")]
    with path.open("a") as file:
        for task, seed, loop in track([key for key in wanted if key not in rows], description="episodes"):
            entry = suite["tasks"][task]
            assignment = suite_task(entry, seed, suite["start"].get(entry["instruction"]))
            assert assignment.goal is not None
            steps = notebook.oracle_steps(assignment.goal)
            meddler = Meddler(1000 * task + seed, steps) if (task + seed) % 2 else None
            episode = run_episode(
                assignment, seed, "combined", detector, segmenter, library, scorer,
                max_steps=max(3, 2 * steps), feedback=loop == "closed", hand=meddler,
            )  # fmt: skip
            row = as_row(episode) | {"task": task, "loop": loop, "disturbed": meddler is not None, "did": meddler.did if meddler else ""}
            rows[task, seed, loop] = row
            file.write(json.dumps(row) + "\n")
            file.flush()
    show("disturbance", figures([rows[key] for key in wanted]), arguments.json, BARS)


def figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares of success of both loops: over all episodes, the disturbed ones, the others, and by kind of disturbance."""

    def share(loop: str, *, disturbed: bool | None = None, kind: str = "") -> float | None:
        some = [row for row in rows if row["loop"] == loop and disturbed in (None, row["disturbed"]) and row["did"].endswith(kind)]
        return sum(row["success"] for row in some) / len(some) if some else None

    shares: dict[str, Any] = {}
    for loop in ("closed", "open"):
        shares |= {
            f"{loop}_loop": share(loop), f"{loop}_loop_disturbed": share(loop, disturbed=True),
            f"{loop}_loop_undisturbed": share(loop, disturbed=False),
            f"{loop}_loop_by_kind": {kind: share(loop, kind=kind) for kind in KINDS},
        }  # fmt: skip
    return {"n": len(rows) // 2, "n_disturbed": sum(row["disturbed"] for row in rows) // 2, **shares, **PUBLISHED}


if __name__ == "__main__":
    main()
