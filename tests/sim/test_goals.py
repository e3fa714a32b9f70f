"""Goals, verdicts and tasks."""

from __future__ import annotations

import itertools

import mujoco
import numpy as np
import pytest

from seesay.errors import SkillError
from seesay.sim.goals import All, Atom, Goal, Judge, Not, names_in, read_goal
from seesay.sim.places import CORNERS, PLACES
from seesay.sim.scene import COLOURS
from seesay.sim.tasks import BLOCKS, demo_task, lay, named_things, parse_goal, single_task
from seesay.sim.world import World


def put(world: World, name: str, x: float, y: float, z: float | None = None) -> None:
    """Move a thing by hand; by default it stands on the table."""
    joint = world.model.body(name).jntadr[0]
    start = world.model.jnt_qposadr[joint]
    height = world.truth()[name].thing.height
    world.data.qpos[start : start + 7] = [x, y, height / 2 if z is None else z, 1, 0, 0, 0]
    world.data.qvel[:] = 0
    mujoco.mj_forward(world.model, world.data)


@pytest.fixture(scope="module")
def world() -> World:
    return World(lay(["red block", "blue block", "green bowl", "white plate"], 3))


def holds(world: World, *goal: str) -> bool:
    return Judge(world, read_goal(list(goal))).verdict().success


def test_in_needs_the_rim_around_it(world: World) -> None:
    put(world, "green bowl", 0.1, 0.1)
    put(world, "red block", 0.1, 0.11, 0.03)
    assert holds(world, "in", "red block", "green bowl")
    put(world, "red block", 0.1, 0.11, 0.2)
    assert not holds(world, "in", "red block", "green bowl")
    put(world, "red block", 0.1, -0.1)
    assert not holds(world, "in", "red block", "green bowl")


def test_a_pile_in_a_bowl_is_in_it(world: World) -> None:
    heights = {name: pose.thing.height for name, pose in world.truth().items()}
    put(world, "green bowl", 0.1, 0.1)
    put(world, "red block", 0.1, 0.1, 0.04)
    top = 0.04 + (heights["red block"] + heights["blue block"]) / 2
    put(world, "blue block", 0.1, 0.1, top + 0.03)
    assert not holds(world, "in", "blue block", "green bowl")
    put(world, "blue block", 0.1, 0.1, top)
    assert holds(world, "in", "blue block", "green bowl")


def test_on_needs_contact_height(world: World) -> None:
    heights = {name: pose.thing.height for name, pose in world.truth().items()}
    put(world, "blue block", 0.0, 0.0)
    put(world, "red block", 0.005, 0.0, heights["blue block"] + heights["red block"] / 2)
    assert holds(world, "on", "red block", "blue block")
    assert holds(world, "one_stack", "red block", "blue block")
    assert not holds(world, "on", "blue block", "red block")
    put(world, "red block", 0.005, 0.0, 0.2)
    assert not holds(world, "on", "red block", "blue block")


def test_at_corners_and_what_fell(world: World) -> None:
    put(world, "red block", *PLACES["top left corner"])
    put(world, "blue block", *PLACES["top right corner"])
    assert holds(world, "at", "red block", "top left corner")
    assert holds(world, "distinct_corners", "red block", "blue block")
    assert not Judge(world, Not(Atom("at", ("red block", "top left corner")))).verdict().success
    put(world, "white plate", 0.5, 0.0, -0.5)
    verdict = Judge(world, Atom("at", ("red block", "top left corner"))).verdict()
    assert (verdict.success, verdict.message) == (False, "the white plate fell off the table")
    put(world, "white plate", 0.0, 0.0)


def test_visits_are_remembered_in_order(world: World) -> None:
    put(world, "red block", 0.0, 0.0)
    clockwise = Judge(world, Atom("visited_corners_clockwise", ("red block",)))
    anywhere = Judge(world, Atom("visited_all_corners", ("red block",)))
    for corner in (CORNERS[1], CORNERS[2], CORNERS[3]):
        put(world, "red block", *PLACES[corner])
        clockwise.watch()
        anywhere.watch()
    assert not anywhere.verdict().success
    put(world, "red block", *PLACES[CORNERS[0]])
    assert clockwise.verdict().success
    assert anywhere.verdict().success


def test_a_goal_about_something_absent_is_refused(world: World) -> None:
    with pytest.raises(SkillError, match="no pink ball"):
        Judge(world, Atom("at", ("pink ball", "middle")))


@pytest.mark.parametrize(
    "value", [["near", "red block", "green bowl"], ["in", "red block"], ["at", "red block", "moon"], {"any": []}, 7, ["in"]]
)
def test_goals_that_are_none_are_refused(value: object) -> None:
    with pytest.raises(SkillError, match="expected a goal"):
        read_goal(value)


def test_goals_nest() -> None:
    goal = read_goal({"all": [["in", "red block", "green bowl"], {"not": ["at", "blue block", "middle"]}]})
    assert goal == All((Atom("in", ("red block", "green bowl")), Not(Atom("at", ("blue block", "middle")))))
    assert names_in(goal) == ("red block", "green bowl", "blue block")
    assert str(goal) == "red block in the green bowl and not (blue block at the middle)"


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("Put the red block in the green bowl.", Atom("in", ("red block", "green bowl"))),
        ("stack the red block on top of the blue block", Atom("on", ("red block", "blue block"))),
        ("pick up the white cup and place it on the black plate", Atom("on", ("white cup", "black plate"))),
        ("move the pink ball to the left side", Atom("at", ("pink ball", "left side"))),
        (
            "first put the red block in the middle, then put the blue block on the red block.",
            All((Atom("at", ("red block", "middle")), Atom("on", ("blue block", "red block")))),
        ),
        (
            "put the blue block and the red block in the yellow bowl",
            All((Atom("in", ("blue block", "yellow bowl")), Atom("in", ("red block", "yellow bowl")))),
        ),
        ("stack all the blocks.", Atom("one_stack", BLOCKS)),
        ("put all the blocks in different corners", Atom("distinct_corners", BLOCKS)),
        ("place every block in separate corners", Atom("distinct_corners", BLOCKS)),
        ("put the red block and the blue block in different corners", Atom("distinct_corners", ("red block", "blue block"))),
        ("sort all the blocks into the bowls of the same colour", All((Atom("in", ("green block", "green bowl")),))),
        ("put the red block on the red block", None),
        ("put the green bowl on the red block", None),
        ("tidy up", None),
    ],
)
def test_plain_instructions_give_goals(text: str, goal: Goal | None) -> None:
    assert parse_goal(text, [*BLOCKS, "green bowl"]) == goal


@pytest.mark.parametrize("seed", range(25))
def test_single_tasks_are_whole(seed: int) -> None:
    task = single_task(seed)
    assert task == single_task(seed)
    assert task.goal is not None
    names = [thing.name for thing in task.scene.objects]
    assert set(names_in(task.goal)) <= set(names)
    assert len(names) == len(set(names))
    assert 4 <= len(names) <= 8
    assert parse_goal(task.instruction) == task.goal
    for one, other in itertools.combinations(task.scene.objects, 2):
        assert np.hypot(*np.subtract(one.position, other.position)[:2]) > one.radius + other.radius


def test_no_single_task_is_done_at_the_start() -> None:
    for seed in range(6):
        task = single_task(seed)
        assert task.goal is not None
        assert not Judge(World(task.scene), task.goal).verdict().success


def test_a_demo_lays_what_the_instruction_names() -> None:
    task = demo_task("put the purple cup in the orange bowl", 4)
    assert {"purple cup", "orange bowl"} <= {thing.name for thing in task.scene.objects}
    assert task.goal == Atom("in", ("purple cup", "orange bowl"))
    assert demo_task("move the block to the bowl", 1).goal is None
    assert named_things("Put a red block beside two green bowls") == (("red", "block"), ("green", "bowl"))


def test_a_demo_about_nothing_is_refused() -> None:
    with pytest.raises(SkillError, match="about things on the table"):
        demo_task("write me a poem", 0)


MANY = [f"{colour} bowl" for colour in COLOURS] + ["red plate", "blue plate"]


@pytest.mark.parametrize(("names", "match"), [(["red spoon"], "a colour"), (["red block", "red block"], "once"), (MANY, "fit")])
def test_scenes_that_cannot_be_laid_are_refused(names: list[str], match: str) -> None:
    with pytest.raises(SkillError, match=match):
        lay(names, 0)


def test_things_can_start_at_a_place() -> None:
    scene = lay(["red block", "blue block", "green bowl"], 0, start={"red block": "middle"})
    assert next(thing for thing in scene.objects if thing.name == "red block").position[:2] == (0.0, 0.0)
