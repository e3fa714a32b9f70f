"""Scene files of the kitchen: read, checked, and how many steps each needs at least."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seesay.errors import SkillError
from seesay.sim.kitchen import KINDS, PLACES, Impossible, State, after
from seesay.sim.kitchen_goals import GRIPPER, Goal, check_goal, conditions, holds, kind_of, members, named_in

Classes = Mapping[str, tuple[str, ...]]
MOST_STATES = 50_000
_LARGEST_FILE = 20_000_000


@dataclass(frozen=True)
class KitchenScene:
    """An instruction in a kitchen. objects: thing ("orange" or "orange#1") -> place or "gripper". plans: right step phrases with `done`
    last, each a whole alternative; empty where none are known."""

    id: str
    family: str
    instruction: str
    robot_location: str
    objects: Mapping[str, str]
    goal: Goal
    classes: Classes = field(default_factory=dict)
    plans: tuple[tuple[str, ...], ...] = ()

    def start(self) -> State:
        """The kitchen before the first step."""
        return State(self.robot_location, tuple(self.objects.items()), visited=frozenset({self.robot_location}))

    def solved(self, state: State) -> bool:
        """Whether the goal holds."""
        return holds(self.goal, state, self.classes)

    def recall(self, state: State) -> float:
        """Share of the goal's conditions that hold, 0 to 1; see `kitchen_goals.conditions`."""
        held = [holds(part, state, self.classes) for part in conditions(self.goal)]
        return sum(held) / len(held)


def read_classes(path: Path | None) -> Classes:
    """Class name -> kinds, from a JSON object. Raises SkillError that names the file."""
    table = {} if path is None else _load(path)
    lists = list(table.values()) if isinstance(table, dict) else [None]
    if not all(isinstance(kinds, list) and all(isinstance(kind, str) for kind in kinds) for kinds in lists):
        raise SkillError(f"{path}: expected an object of lists of names, such as {{\"fruit\": [\"apple\"]}}: correct it")
    return {name: tuple(kinds) for name, kinds in table.items()}


def read_scenes(path: Path, classes: Classes) -> list[KitchenScene]:
    """The scenes of a JSON file: a list of objects, or an object with the list under "scenes".

    Raises SkillError that names the file, the scene and what is wrong.
    """
    rows = _load(path)
    rows = rows.get("scenes") if isinstance(rows, dict) else rows
    if not isinstance(rows, list) or not rows:
        raise SkillError(f"{path}: expected a list of at least one scene: correct it")
    scenes = []
    for number, row in enumerate(rows, start=1):
        try:
            scenes.append(_scene(row, classes))
        except SkillError as error:
            raise SkillError(f"{path}: scene {number}: {error}") from error
    if len({scene.id for scene in scenes}) < len(scenes):
        raise SkillError(f"{path}: expected every id once: rename the scenes that share one")
    return scenes


def fewest_steps(scene: KitchenScene) -> int | None:
    """Length of the shortest plan without `done`; None if there is none, or none among the first 50,000 states.

    Breadth first over picking and putting down what the goal speaks of, and going; `find` and `bring it to you` go no further than that.
    """
    relevant = {thing for name in named_in(scene.goal) for thing in members(name, scene.objects, scene.classes)}
    kinds = sorted({kind_of(thing) for thing in relevant})
    counts_visits = "visited" in json.dumps(scene.goal)
    start = scene.start()
    queue: deque[tuple[State, int]] = deque([(start, 0)])
    known = {start}
    while queue and len(known) < MOST_STATES:
        state, steps = queue.popleft()
        if scene.solved(state):
            return steps
        for then in _next(state, kinds):
            plain = then if counts_visits else replace(then, visited=frozenset())
            if plain not in known:
                known.add(plain)
                queue.append((plain, steps + 1))
    return None


def _next(state: State, kinds: list[str]) -> Iterator[State]:
    moves = [("go_to", place) for place in PLACES]
    moves += [("put_down", state.held)] if state.held else [("pick", kind) for kind in kinds]
    for skill, argument in moves:
        try:
            yield after(state, skill, argument)
        except Impossible:
            continue


def _load(path: Path) -> Any:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise SkillError(f"{path}: expected at most {_LARGEST_FILE} bytes: split the file")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SkillError(f"{path}: expected a JSON file ({error}): correct the path or the file") from error


def _scene(row: Any, classes: Classes) -> KitchenScene:
    if not isinstance(row, dict):
        raise SkillError(f"expected an object, got {row!r}: correct it")
    texts = {key: row.get(key, "") for key in ("family", "instruction", "robot_location")}
    for key, text in texts.items():
        if not isinstance(text, str) or (key != "family" and not text):
            raise SkillError(f"{key}: expected a text, got {text!r}: correct it")
    if texts["robot_location"] not in PLACES:
        raise SkillError(f"robot_location: expected one of {', '.join(PLACES)}, got {texts['robot_location']!r}: correct it")
    objects = row.get("objects")
    if not isinstance(objects, dict) or not all(place in (*PLACES, GRIPPER) for place in objects.values()):
        raise SkillError(f"objects: expected names with one of {', '.join(PLACES)} or gripper, got {objects!r}: correct it")
    if strange := [thing for thing in objects if kind_of(thing) not in KINDS]:
        raise SkillError(f"objects: expected one of {', '.join(KINDS)}, got {strange[0]!r}: correct the name")
    if list(objects.values()).count(GRIPPER) > 1:
        raise SkillError("objects: expected at most one in the gripper: put the others somewhere")
    plans = row.get("plans", [row["plan"]] if "plan" in row else [])
    if not isinstance(plans, list) or not all(isinstance(plan, list) and all(isinstance(step, str) for step in plan) for plan in plans):
        raise SkillError(f"plans: expected lists of step phrases, got {plans!r}: correct it")
    goal = check_goal(row.get("goal"), {*objects, *KINDS}, classes, PLACES)
    return KitchenScene(str(row.get("id", texts["instruction"])), **texts, objects=objects, goal=goal, classes=classes,
                        plans=tuple(tuple(plan) for plan in plans))  # fmt: skip
