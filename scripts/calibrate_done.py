"""Fit when a kitchen task ends: `python -m scripts.calibrate_done` writes `kitchen.calibration.json` beside the skills.

SayCan's main error is an early `done` (arXiv:2204.01691, section 5.1). Over the known plans of the development scenes: after how many steps
of each skill is the task done? The shares, with the rule of succession, are the affordance of `done` where the goals are not known.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.kitchen_plans import DATA
from seesay.planner.calibration import library_file
from seesay.planner.skills import load_library
from seesay.sim.kitchen_scenes import read_classes, read_scenes


def ends(plans: Iterable[Sequence[str]], skills: Mapping[str, str]) -> dict[str, float]:
    """How often `done` is the right next step after a step of a skill, "" for before the first. skills: phrase -> skill."""
    asked, right = Counter[str](), Counter[str]()
    for plan in plans:
        for last, following in zip(("", *plan), plan, strict=False):
            skill = skills.get(last, "")
            asked[skill] += 1
            right[skill] += skills[following] == "done"
    return {skill: round((right[skill] + 1) / (asked[skill] + 2), 5) for skill in sorted(asked)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=library_file("kitchen").with_suffix(".calibration.json"))
    arguments = parser.parse_args()
    scenes = read_scenes(DATA / "development.json", read_classes(DATA / "classes.json"))
    skills = {option.phrase: option.skill for option in load_library("kitchen").candidates()}
    plans = [scene.plans[0] for scene in scenes if scene.plans]
    after = ends(plans, skills)
    fitted = {"skills": {}, "done": {"after": after}, "figures": {"done": {"plans": len(plans)}}}
    arguments.out.write_text(json.dumps(fitted, indent=1) + "\n")
    print(f"{arguments.out}: {after}")


if __name__ == "__main__":
    main()
