"""The symbolic kitchen: what each skill needs and does, what it shows, and goals judged by formula."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seesay.errors import SkillError
from seesay.executor import Executor
from seesay.messages import Header, SkillGoal, SkillResult, Target
from seesay.sim.kitchen import PLACES, Impossible, Kitchen, KitchenExecutor, State, after
from seesay.sim.kitchen_goals import holds, members
from seesay.sim.kitchen_scenes import KitchenScene, fewest_steps, read_classes, read_scenes

CLASSES = {"fruit": ("apple", "orange")}
START = State("table", (("coke can", "table"), ("orange#1", "counter"), ("orange#2", "table")))
DATA = Path(__file__).parents[2] / "benchmarks/data/kitchen"


def do(state: State, *steps: tuple[str, str]) -> State:
    for step in steps:
        state = after(state, *step)
    return state


@pytest.mark.parametrize(
    ("state", "step", "reason"),
    [
        (START, ("find", "pepsi"), "no pepsi anywhere"),
        (START, ("pick", "pepsi"), "no pepsi at the table"),
        (do(START, ("go_to", "user")), ("pick", "coke can"), "no coke can at the user"),
        (do(START, ("pick", "coke can")), ("pick", "orange"), "holds the coke can"),
        (START, ("put_down", "coke can"), "does not hold"),
        (do(START, ("pick", "orange")), ("put_down", "coke can"), "does not hold the coke can"),
        (START, ("bring", ""), "holds nothing"),
        (START, ("go_to", "moon"), "no place"),
        (START, ("fly", ""), "not 'fly'"),
    ],
)
def test_what_cannot_be_done_says_why(state: State, step: tuple[str, str], reason: str) -> None:
    with pytest.raises(Impossible, match=reason):
        after(state, *step)


def test_a_thing_goes_where_it_is_carried() -> None:
    there = do(START, ("find", "coke can"), ("pick", "coke can"), ("bring", ""))
    assert (there.robot, there.held) == ("user", "coke can")
    assert do(there, ("put_down", "coke can")).where["coke can"] == "user"


def test_a_thing_that_was_put_down_is_found_last() -> None:
    """Else a robot that throws three oranges away would find the first one in the trash for ever."""
    state = do(START, ("find", "orange"), ("pick", "orange"), ("go_to", "trash"), ("put_down", "orange"))
    assert state.where["orange#2"] == "trash"
    assert do(state, ("find", "orange")).robot == "counter"


SKILLS, NAMES = st.sampled_from(["find", "pick", "put_down", "go_to", "bring"]), st.sampled_from(["orange", "coke can", *PLACES])


@given(st.lists(st.tuples(SKILLS, NAMES)))
def test_nothing_is_lost_and_the_gripper_holds_one(steps: list[tuple[str, str]]) -> None:
    kitchen = Kitchen(START)
    for step in steps:
        kitchen.attempt(*step)
    assert [thing for thing, _ in kitchen.state.spots] == [thing for thing, _ in START.spots]
    assert list(kitchen.state.where.values()).count("gripper") <= 1
    assert set(kitchen.state.where.values()) <= {*PLACES, "gripper"}


def test_a_look_shows_what_is_here_and_what_is_held() -> None:
    kitchen = Kitchen(START)
    assert [thing.label for thing in kitchen.look().objects] == ["coke can", "orange"]
    assert len(kitchen.truth().objects) == 3
    kitchen.attempt("pick", "coke can")
    kitchen.attempt("go_to", "counter")
    seen = {thing.label: thing for thing in kitchen.look().objects}
    assert {label: thing.status for label, thing in seen.items()} == {"coke can": "held", "orange": "visible"}
    assert kitchen.arm_state().grip_force > 0
    assert seen["orange"].last_seen_ns == kitchen.time_ns == 2_000_000_000


@pytest.mark.parametrize(
    ("goal", "true"),
    [
        (["at", "coke can", "table"], True), (["at", "coke can", "user"], False), (["at", "orange", "counter"], True),
        (["at", "orange#2", "counter"], False), (["at", "fruit", "table"], True), (["none_at", "fruit", "table"], False),
        (["none_at", "fruit", "user"], True), (["holding", "orange"], False), (["robot_at", "table"], True), (["visited", "table"], True),
        (["visited", "trash"], False), (["delivered", "fruit"], False), ({"not": ["robot_at", "user"]}, True),
        ({"all": [["robot_at", "table"], {"any": [["holding", "coke can"], ["at", "fruit", "counter"]]}]}, True),
    ],
)  # fmt: skip
def test_goals(goal: Any, true: bool) -> None:
    scene = KitchenScene("1", "", "do", "table", START.where, goal, CLASSES)
    assert scene.solved(scene.start()) is true


def test_delivered_is_at_the_user_or_held_there() -> None:
    goal = ["delivered", "fruit"]
    held = do(START, ("pick", "orange"))
    assert [holds(goal, state, CLASSES) for state in (held, do(held, ("bring", "")), do(held, ("bring", ""), ("put_down", "orange")))] == [
        False, True, True,
    ]  # fmt: skip


def test_the_shortest_plan() -> None:
    def fewest(goal: Any) -> int | None:
        return fewest_steps(KitchenScene("1", "", "do", "table", START.where, goal, CLASSES))

    assert fewest(["robot_at", "table"]) == 0
    assert fewest(["at", "coke can", "trash"]) == 3
    assert fewest({"all": [["at", "orange#1", "trash"], ["at", "orange#2", "trash"]]}) == 7
    assert fewest({"all": [["visited", "user"], ["visited", "trash"]]}) == 2
    assert fewest({"all": [["robot_at", "user"], ["robot_at", "trash"]]}) is None


def test_the_executor_runs_goals() -> None:
    executor: Executor = KitchenExecutor(Kitchen(START))
    goal = SkillGoal(Header(0), "g1", "pick", "pick up the coke can", {"object": _target("coke can")})
    executor.start(goal)
    result = executor.poll()
    assert isinstance(result, SkillResult)
    assert (result.goal_id, result.outcome) == ("g1", "succeeded")
    assert executor.poll() is None
    executor.start(goal)
    assert isinstance(again := executor.poll(), SkillResult)
    assert (again.outcome, again.message) == ("failed", "the gripper holds the coke can")
    executor.start(goal)
    executor.stop("enough")
    assert isinstance(stopped := executor.poll(), SkillResult)
    assert (stopped.outcome, stopped.message) == ("stopped", "enough")


def _target(name: str) -> Target:
    thing = next(thing for thing in Kitchen(START).truth().objects if thing.label == name)
    return Target(name, thing.id, thing.position, thing.extent, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"robot_location": "moon"}, "robot_location"), ({"instruction": ""}, "instruction"),
        ({"objects": {"apple": "moon"}}, "objects"),
        ({"objects": {"ufo": "table"}}, "'ufo'"), ({"objects": {"apple": "gripper", "tea": "gripper"}}, "at most one"),
        ({"goal": ["at", "apple"]}, "expected a goal"), ({"goal": ["at", "ufo", "table"]}, "'ufo'"),
        ({"goal": {"all": []}}, "expected a goal"),
        ({"goal": ["at", "apple", "moon"]}, "'moon'"), ({"goal": None}, "expected a goal"), ({"plans": "find"}, "plans"),
    ],
)  # fmt: skip
def test_a_wrong_scene_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    row = {"id": "a", "instruction": "bring it", "robot_location": "table", "objects": {"apple": "table"}, "goal": ["delivered", "fruit"]}
    path = tmp_path / "scenes.json"
    path.write_text(json.dumps([row]))
    assert len(read_scenes(path, CLASSES)) == 1
    path.write_text(json.dumps({"scenes": [row, {**row, "id": "b", **change}]}))
    with pytest.raises(SkillError, match=f"scenes.json: scene 2: .*{message}"):
        read_scenes(path, CLASSES)


def test_wrong_files(tmp_path: Path) -> None:
    path = tmp_path / "scenes.json"
    for text in ("[", "[]", "3", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(SkillError, match="expected"):
            read_scenes(path, CLASSES)
        with pytest.raises(SkillError, match="expected"):
            read_classes(path)
    with pytest.raises(SkillError, match="expected a JSON file"):
        read_scenes(tmp_path / "none.json", {})


ANYTHING_ELSE = "dev-10"
"""Asks for anything but an apple: no kind but the apple can distract."""


def wanted(goal: Any, scene: KitchenScene) -> list[str]:
    """Things of a scene that a goal is about: what is to be cleared off a place is what lies there."""
    match goal:
        case {"all": parts} | {"any": parts}:
            return [thing for part in parts for thing in wanted(part, scene)]
        case ["none_at", name, place]:
            return [thing for thing in members(name, scene.objects, scene.classes) if scene.objects[thing] == place]
        case [("at" | "holding" | "delivered"), name, *_]:
            return members(name, scene.objects, scene.classes)
    return []


@pytest.mark.parametrize("name", ["development", "test"])
def test_shipped_scenes_can_be_solved_and_have_distractors(name: str) -> None:
    for scene in read_scenes(DATA / f"{name}.json", read_classes(DATA / "classes.json")):
        fewest = fewest_steps(scene)
        assert fewest, scene.id
        least = 1 if scene.id == ANYTHING_ELSE else 2
        assert len(set(scene.objects) - set(wanted(scene.goal, scene))) >= least, scene.id
        assert all(plan[-1] == "done" and len(plan) > fewest for plan in scene.plans), scene.id
