"""The notebook suite's tasks can be laid, are not done at first, and their figures add up."""

from __future__ import annotations

import json

import pytest

from benchmarks.notebook import SUITE, figures, oracle_steps
from seesay.planner.reading import read
from seesay.planner.skills import load_library
from seesay.sim.goals import Judge, read_goal
from seesay.sim.tasks import suite_task
from seesay.sim.world import World

FILE = json.loads(SUITE.read_text())


@pytest.mark.parametrize("entry", FILE["tasks"], ids=lambda entry: entry["instruction"])
def test_table_has_exactly_the_objects_and_the_goal_is_open(entry: dict[str, object]) -> None:
    task = suite_task(entry, 1, FILE["start"].get(entry["instruction"]))
    assert [thing.name for thing in task.scene.objects if thing.name not in entry["objects"]] == []  # type: ignore[operator]
    assert task.goal == read_goal(entry["goal"])
    assert not Judge(World(task.scene), task.goal).verdict().success


def test_shortest_plans() -> None:
    assert [oracle_steps(read_goal(task["goal"])) for task in FILE["tasks"]] == [4, 1, 3, 3, 2, 2, 2, 4, 4, 1, 1, 1, 2, 1, 1, 2, 1]
    assert len(load_library().candidates()) == 53


def test_grammar_reads_the_suite() -> None:
    assert all(read(task["instruction"], load_library()) for task in FILE["tasks"])


def test_shares() -> None:
    wanted = [(task, seed, condition) for task in (0, 9) for seed in (1, 2) for condition in ("combined", "language_only")]
    rows = {
        key: {"task": key[0], "condition": key[2], "success": key[0] == 9 and key[2] == "combined", "wall_s": 30.0} for key in wanted
    }
    shown = figures(rows, wanted, FILE["tasks"])
    assert (shown["success"], shown["success_nine"], shown["success_single"], shown["n"]) == (0.5, 0.0, 1.0, 4)
    assert (shown["success_language_only"], shown["success_affordance_only"], shown["minutes"]) == (0.0, None, 4.0)
    assert shown["by_task"][9]["combined"] == 1.0
