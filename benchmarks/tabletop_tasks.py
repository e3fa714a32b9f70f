"""Instructions through the whole loop: `python -m benchmarks.tabletop_tasks --json` (single pick-and-place), `--suite notebook` (17 tasks).

Each seeded episode lays a table, gives an instruction and always the 53 options of SayCan's tabletop (never only what is visible), and
runs perceive, score, choose, execute, perceive again, until `done`, in one process on simulated time. The same episodes run with the
language model alone and with the affordances alone. Success is the simulator's own verdict when the planner has said done. Finished
episodes are kept: a run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from rich.progress import track

from benchmarks import notebook
from benchmarks.common import cache, circumstances, show
from benchmarks.episodes import as_row, run_episode
from benchmarks.kept_scores import KeptScores
from seesay.perception import Detector, Segmenter
from seesay.planner.skills import load_library
from seesay.planner.transformers_scorer import TransformersScorer
from seesay.sim.tasks import single_task

FIRST_SEED = 5000
MODES = ("combined", "language_only", "affordance_only")
BARS = {"success": (">=", 0.85), "n": (">=", 100)}


def finished(path: Path) -> dict[tuple[int, str], dict[str, Any]]:
    """Episodes that an earlier run has ended."""
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
    return {(row["seed"], row["mode"]): row for row in rows}


def share(rows: list[dict[str, Any]]) -> float | None:
    return sum(row["success"] for row in rows) / len(rows) if rows else None


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=("single", "notebook"), default="single")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=10, help="tables for each task of the notebook suite")
    parser.add_argument("--conditions", nargs="+", choices=notebook.CONDITIONS, default=list(notebook.CONDITIONS[:4]))
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--lm", default="gemma3-270m")
    parser.add_argument("--detector", default="embedded", help="a model, or oracle: true boxes and masks")
    parser.add_argument("--segmenter", default="embedded")
    parser.add_argument("--keep", type=Path, help="file of finished episodes; by default one per commit in the cache")
    parser.add_argument("--fresh", action="store_true", help="forget finished episodes")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    part = "" if arguments.suite == "single" else f"-{arguments.suite}"
    path = arguments.keep or cache("tabletop-tasks") / f"{circumstances()['commit'] or 'none'}{part}.jsonl"
    if arguments.fresh:
        path.unlink(missing_ok=True)
    detector = None if arguments.detector == "oracle" else Detector.from_pretrained(arguments.detector)
    segmenter = Segmenter.from_pretrained(arguments.segmenter) if detector else None
    library = load_library("tabletop")
    phrases = [option.phrase for option in library.candidates()]
    scorer = KeptScores(arguments.lm, lambda: TransformersScorer.from_pretrained(arguments.lm), together=phrases)
    if arguments.suite == "notebook":
        figures = notebook.run(path, arguments.seeds, arguments.conditions, detector, segmenter, library, scorer)
        show("tabletop tasks, notebook suite", figures, arguments.json, notebook.BARS)
        return
    known = finished(path)
    with path.open("a") as file:
        for seed in track(range(FIRST_SEED, FIRST_SEED + arguments.episodes), description="episodes"):
            for mode in arguments.modes:
                if (seed, mode) not in known:
                    row = as_row(run_episode(single_task(seed), seed, mode, detector, segmenter, library, scorer))
                    known[seed, mode] = row
                    file.write(json.dumps(row) + "\n")
                    file.flush()
    seeds = range(FIRST_SEED, FIRST_SEED + arguments.episodes)
    rows = {mode: [known[seed, mode] for seed in seeds if (seed, mode) in known] for mode in MODES}
    causes = Counter(row["cause"] for row in rows["combined"] if not row["success"])
    figures = {
        "n": len(rows["combined"]), "n_options": len(library.candidates()), "success": share(rows["combined"]),
        "success_language_only": share(rows["language_only"]), "success_affordance_only": share(rows["affordance_only"]),
        "failures": {cause: causes[cause] for cause in ("perception", "planning", "grasp", "timeout")},
    }  # fmt: skip
    show("tabletop tasks", figures | {f"failures_{k}": v for k, v in figures["failures"].items()}, arguments.json, BARS)


if __name__ == "__main__":
    main()
