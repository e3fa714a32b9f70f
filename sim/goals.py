"""What a task wants of the table, judged by the simulator's true state. For verdicts and tests only.

Atoms: `in`(object, bowl: in it, or on a pile that stands in it), `on`(object, the thing below it), `at`(object, named place),
`distinct_corners`(objects...), `one_stack`(blocks...), `visited_all_corners`(object), `visited_corners_clockwise`(object);
joined by `all` and `not`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seesay.errors import SkillError
from seesay.sim.places import CORNERS, PLACES
from seesay.sim.world import Pose, World

AT = 0.04
"""How near a named place counts as at it, metres."""
_CONTAINERS = ("bowl", "plate")
_ARITY = {"in": 2, "on": 2, "at": 2, "distinct_corners": 0, "one_stack": 0, "visited_all_corners": 1, "visited_corners_clockwise": 1}

Truth = Mapping[str, Pose]


@dataclass(frozen=True)
class Atom:
    """One condition: its `relation` and the `names` of the things and places in it."""

    relation: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        match self.relation:
            case "in" | "on" | "at":
                return f"{self.names[0]} {self.relation} the {self.names[1]}"
            case _:
                return f"{self.relation.replace('_', ' ')}: {', '.join(self.names)}"


@dataclass(frozen=True)
class All:
    """Every one of `goals` holds."""

    goals: tuple[Goal, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.goals))


@dataclass(frozen=True)
class Not:
    """`goal` does not hold."""

    goal: Goal

    def __str__(self) -> str:
        return f"not ({self.goal})"


Goal = Atom | All | Not


def read_goal(value: Any) -> Goal:
    """A goal from JSON: `["in", "red block", "green bowl"]`, `{"all": [...]}` or `{"not": ...}`. Raises SkillError otherwise."""
    match value:
        case {"all": [_, *_] as goals}:
            return All(tuple(read_goal(goal) for goal in goals))
        case {"not": goal}:
            return Not(read_goal(goal))
        case [str() as relation, *names] if relation in _ARITY and names and all(isinstance(name, str) for name in names):
            wanted = _ARITY[relation]
            if wanted in (0, len(names)) and (relation != "at" or names[1] in PLACES):
                return Atom(relation, tuple(names))
    known = ", ".join(_ARITY)
    raise SkillError(f"expected a goal such as ['in', 'red block', 'green bowl'] with one of {known}, got {value!r}: correct it")


def names_in(goal: Goal) -> tuple[str, ...]:
    """Names of all things in a goal, without the named places."""
    match goal:
        case Atom():
            return tuple(name for name in goal.names if name not in PLACES)
        case All():
            return tuple(dict.fromkeys(name for part in goal.goals for name in names_in(part)))
        case Not():
            return names_in(goal.goal)


def is_in(thing: Pose, container: Pose) -> bool:
    """Within the rim of an upright bowl or plate, and not held above it."""
    radius, height = container.thing.size
    rim = container.position[2] + height / 2
    low, high = container.position[2] - height / 2, rim + 1.2 * thing.thing.height
    return _apart(thing, container) < 0.9 * radius and bool(low < thing.position[2] < high) and container.upright > 0.7


def _in(thing: Pose, container: Pose, truth: Truth) -> bool:
    """In the container itself, or on a pile that stands in it: three blocks find no room beside each other in a bowl."""
    lower = [other for other in truth.values() if other.position[2] < thing.position[2] and other.thing.shape not in _CONTAINERS]
    piled = _apart(thing, container) < 0.9 * container.thing.size[0]
    return is_in(thing, container) or (piled and any(is_on(thing, other) and _in(other, container, truth) for other in lower))


def is_on(thing: Pose, below: Pose) -> bool:
    """Resting on `below`: one's height above it, with the centre over it."""
    if below.thing.shape in _CONTAINERS:
        return is_in(thing, below)
    gap = thing.position[2] - below.position[2] - (thing.thing.height + below.thing.height) / 2
    return _apart(thing, below) < 0.75 * below.thing.size[0] and abs(gap) < 0.01


def is_at(thing: Pose, place: str) -> bool:
    """With its centre at most `AT` metres from the place, on the table or on something there."""
    away = float(np.hypot(*(thing.position[:2] - PLACES[place])))
    return away < AT and bool(thing.position[2] > 0)


def fell(thing: Pose) -> bool:
    """No longer on the table."""
    return bool(thing.position[2] < -0.01)


@dataclass(frozen=True)
class Verdict:
    """Whether a task is done, and a sentence on what holds or what doesn't."""

    success: bool
    message: str


class Judge:
    """Watches one episode. Call `watch` after every skill; `verdict` when the planner says done."""

    def __init__(self, world: World, goal: Goal) -> None:
        self._world = world
        self.goal = goal
        missing = [name for name in names_in(goal) if name not in world.truth()]
        if missing:
            raise SkillError(f"expected the goal's things on the table, got no {' and no '.join(missing)}: name what is there")
        self._trails: dict[str, list[str]] = {name: [] for name in world.truth()}
        self.watch()

    def watch(self) -> None:
        """Note which corner each thing is in."""
        for name, pose in self._world.truth().items():
            for corner in CORNERS:
                if is_at(pose, corner) and self._trails[name][-1:] != [corner]:
                    self._trails[name].append(corner)

    def verdict(self) -> Verdict:
        """Judge the true state now."""
        self.watch()
        truth = self._world.truth()
        fallen = [name for name, pose in truth.items() if fell(pose)]
        if fallen:
            return Verdict(False, f"the {' and the '.join(fallen)} fell off the table")
        broken = _broken(self.goal, truth, self._trails)
        return Verdict(not broken, f"not so: {broken[0]}" if broken else str(self.goal))


def _broken(goal: Goal, truth: Truth, trails: Mapping[str, Sequence[str]]) -> list[Goal]:
    """The parts of a goal that don't hold."""
    match goal:
        case All():
            return [part for one in goal.goals for part in _broken(one, truth, trails)]
        case Not():
            return [] if _broken(goal.goal, truth, trails) else [goal]
        case Atom():
            return [] if _holds(goal, truth, trails) else [goal]


def _holds(atom: Atom, truth: Truth, trails: Mapping[str, Sequence[str]]) -> bool:
    first = truth[atom.names[0]]
    match atom.relation:
        case "in":
            return truth[atom.names[1]].thing.shape in _CONTAINERS and _in(first, truth[atom.names[1]], truth)
        case "on":
            return is_on(first, truth[atom.names[1]])
        case "at":
            return is_at(first, atom.names[1])
        case "distinct_corners":
            corners = [[corner for corner in CORNERS if is_at(truth[name], corner)] for name in atom.names]
            return all(corners) and len({corner[0] for corner in corners}) == len(atom.names)
        case "one_stack":
            tower = sorted((truth[name] for name in atom.names), key=lambda pose: float(pose.position[2]))
            return all(is_on(upper, lower) for lower, upper in itertools.pairwise(tower))
        case "visited_all_corners":
            return set(trails[atom.names[0]]) == set(CORNERS)
        case _:
            return _clockwise(trails[atom.names[0]])


def _clockwise(trail: Sequence[str]) -> bool:
    turns = {CORNERS[i:] + CORNERS[:i] for i in range(4)}
    return any(tuple(trail[i : i + 4]) in turns for i in range(len(trail) - 3))


def _apart(one: Pose, other: Pose) -> float:
    """Horizontal distance of two centres in metres."""
    return float(np.hypot(*(one.position[:2] - other.position[:2])))
