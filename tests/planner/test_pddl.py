"""The scene as a PDDL problem: what has to be moved first, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from unified_planning.io import PDDLReader

from seesay.errors import SkillError
from seesay.messages import Objects
from seesay.planner.pddl import scene_problem, solve
from seesay.planner.skills import load_library
from tests.planner.things import scene, thing

LIBRARY = load_library()
TABLE = scene(
    thing(1, "red block", 0.1, 0.0), thing(2, "blue block", 0.1, 0.0, 0.065), thing(3, "green block", -0.1, -0.05),
    thing(4, "green bowl", -0.1, 0.05, size=0.1), thing(5, "yellow block", 0.17, 0.12),
)  # fmt: skip


def plan(goals: dict[str, str], objects: Objects = TABLE) -> list[str]:
    return [option.phrase for option in solve(scene_problem(LIBRARY, objects, goals))]


def test_what_stands_on_a_thing_is_moved_first() -> None:
    steps = plan({"red block": "green bowl"})
    assert len(steps) == 2
    assert steps[0].startswith("pick up the blue block and place it")
    assert steps[1] == "pick up the red block and place it in the green bowl"


def test_a_tower_is_built_from_below() -> None:
    steps = plan({"green block": "red block", "blue block": "green block"})
    assert steps[-2:] == ["pick up the green block and place it on the red block", "pick up the blue block and place it on the green block"]


def test_a_taken_place_is_cleared() -> None:
    steps = plan({"green block": "top right corner"})
    assert len(steps) == 2
    assert steps[0].startswith("pick up the yellow block")


def test_what_holds_already_needs_no_step() -> None:
    assert plan({"blue block": "red block"}) == []


def test_a_bowl_takes_several_things() -> None:
    assert len(plan({"blue block": "green bowl", "green block": "green bowl", "yellow block": "green bowl"})) == 3


def test_the_problem_is_pddl_that_another_program_reads(tmp_path: Path) -> None:
    domain, problem = scene_problem(LIBRARY, TABLE, {"red block": "green bowl"}).pddl()
    for name, text in (("domain", domain), ("problem", problem)):
        (tmp_path / name).write_text(text)
    read = PDDLReader().parse_problem(str(tmp_path / "domain"), str(tmp_path / "problem"))
    assert len(read.actions) == 2
    assert {action.name for action in read.actions} == {"put_into", "put_onto"}


@pytest.mark.parametrize(
    ("goals", "message"),
    [
        ({"red block": "purple bowl"}, "expected things that are seen, got 'purple bowl'; seen are "),
        ({"red block": "blue bowl"}, "got 'blue bowl'"),
        ({"green bowl": "red block"}, "expected what a skill of tabletop brings about"),
        ({"red block": "red block"}, "expected what a skill of tabletop brings about"),
        ({"red block": "blue block", "blue block": "red block"}, "pyperplan finds no plan"),
    ],
)
def test_goals_that_cannot_be_met_are_refused(goals: dict[str, str], message: str) -> None:
    with pytest.raises(SkillError, match=message):
        plan(goals)


def test_an_engine_that_is_not_there_is_named() -> None:
    with pytest.raises(SkillError, match=r"expected one that is installed .*pyperplan.*, got 'deep-thought'"):
        solve(scene_problem(LIBRARY, TABLE, {"red block": "green bowl"}), "deep-thought")


def test_a_lost_thing_is_not_planned_with() -> None:
    lost = scene(thing(1, "red block", 0.1, 0.0, status="lost"), thing(4, "green bowl", -0.1, 0.05))
    with pytest.raises(SkillError, match="got 'red block'"):
        plan({"red block": "green bowl"}, lost)
