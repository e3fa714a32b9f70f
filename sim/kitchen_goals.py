"""Goal formulas of kitchen scenes, in the scene file's own form: read once, then judged against a state."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

from seesay.errors import SkillError

GRIPPER = "gripper"
USER = "user"

Goal = Mapping[str, Any] | Sequence[str]
"""`{"all": [..]}`, `{"any": [..]}`, `{"not": ..}` or an atom such as `["at", "coke can", "table"]`; see `check_goal`."""

_ATOMS = {"at": 3, "holding": 2, "robot_at": 2, "delivered": 2, "none_at": 3, "visited": 2}
_DEEPEST = 20


class Situation(Protocol):
    """What a goal is judged by."""

    @property
    def robot(self) -> str:
        """The place where the robot is."""

    @property
    def where(self) -> Mapping[str, str]:
        """Thing -> its place, or "gripper". Things of one kind are numbered: "orange#1"."""

    @property
    def visited(self) -> Collection[str]:
        """The places where the robot has been, the first one among them."""


def kind_of(thing: str) -> str:
    """"orange" for "orange#2"."""
    return thing.partition("#")[0]


def check_goal(
    value: Any, things: Collection[str], classes: Mapping[str, Collection[str]], places: Collection[str], depth: int = 0
) -> Goal:
    """Return `value` if it is a goal over these things (numbered or by kind), classes and places; raise SkillError otherwise.

    Atoms: `at` (something of that kind lies at a place), `holding`, `robot_at`, `delivered` (lies at the user, or is in the gripper while
    the robot is with the user), `none_at` (nothing of that kind lies at a place), `visited` (the robot has been at a place).
    """
    if depth > _DEEPEST:
        raise SkillError(f"expected a goal of at most {_DEEPEST} levels, got a deeper one: flatten it")
    match value:
        case {"all": [_, *_] as parts} | {"any": [_, *_] as parts} if len(value) == 1:
            for part in parts:
                check_goal(part, things, classes, places, depth + 1)
        case {"not": part} if len(value) == 1:
            check_goal(part, things, classes, places, depth + 1)
        case [str() as atom, *names] if _ATOMS.get(atom) == len(value) and all(isinstance(name, str) for name in names):
            nouns = {*things, *map(kind_of, things), *classes}
            wrong = [names[0]] if atom not in ("robot_at", "visited") and names[0] not in nouns else []
            wrong += [names[-1]] if atom in ("at", "none_at", "robot_at", "visited") and names[-1] not in places else []
            if wrong:
                raise SkillError(f"goal {value!r}: expected a thing of the scene, a class or a place, got {wrong[0]!r}: correct the name")
        case _:
            known = ", ".join(_ATOMS)
            raise SkillError(f"expected a goal such as ['at', 'coke can', 'table'] with one of {known}, got {value!r}: correct it")
    goal: Goal = value
    return goal


def members(name: str, things: Collection[str], classes: Mapping[str, Collection[str]]) -> list[str]:
    """The things that `name` stands for: one numbered thing, all of a kind, or all kinds of a class."""
    return [thing for thing in things if name in (thing, kind_of(thing)) or kind_of(thing) in classes.get(name, ())]


def named_in(goal: Goal) -> Iterator[str]:
    """The names of things, kinds and classes in a goal."""
    match goal:
        case {"all": parts} | {"any": parts}:
            for part in parts:
                yield from named_in(part)
        case {"not": part}:
            yield from named_in(part)
        case [("at" | "holding" | "delivered" | "none_at"), name, *_]:
            yield name


def conditions(goal: Goal) -> Iterator[Goal]:
    """The goals that must all hold for a checked goal: the parts of its `all`, nested ones too, or itself."""
    match goal:
        case {"all": parts}:
            for part in parts:
                yield from conditions(part)
        case _:
            yield goal


def holds(goal: Goal, situation: Situation, classes: Mapping[str, Collection[str]]) -> bool:
    """Whether a checked goal is true now."""
    match goal:
        case {"all": parts}:
            return all(holds(part, situation, classes) for part in parts)
        case {"any": parts}:
            return any(holds(part, situation, classes) for part in parts)
        case {"not": part}:
            return not holds(part, situation, classes)
        case ["robot_at", place]:
            return situation.robot == place
        case ["visited", place]:
            return place in situation.visited
        case [atom, name, *rest]:
            spots = [situation.where[thing] for thing in members(name, situation.where, classes)]
            match atom:
                case "at":
                    return rest[0] in spots
                case "none_at":
                    return rest[0] not in spots
                case "holding":
                    return GRIPPER in spots
                case _:
                    return USER in spots or (GRIPPER in spots and situation.robot == USER)
    return False
