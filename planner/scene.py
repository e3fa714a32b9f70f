"""What can be moved where on the table, as far as it is seen, and the goals that are made of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seesay.messages import Objects
from seesay.planner.relations import above, apart, find
from seesay.planner.skills import Library, Option

FREE = 0.06
"""Metres around a named place within which nothing lies when the place counts as free."""


class Unclear(Exception):
    """What is meant cannot be told, or no skill brings it about."""


@dataclass(frozen=True)
class Goal:
    """One thing to bring about: the effect of `option`. passing: it need not last, as a corner on a round."""

    option: Option = field(compare=False)
    thing: str
    place: str
    passing: bool = False

    @property
    def text(self) -> str:
        """The goal as a plain instruction, in the words of the prompt's examples."""
        verb, preposition = {"in": ("put", "in"), "on": ("stack", "on")}.get(self.option.relation or "", ("move", "to"))
        return f"{verb} the {self.thing} {preposition} the {self.place}"


class Scene:
    """What can be moved where, and where it is. names: the objects that count as here."""

    def __init__(self, library: Library, objects: Objects, names: Iterable[str]) -> None:
        self.library, self.objects, self.here = library, objects, tuple(names)
        self.options: dict[tuple[str, str], Option] = {}
        for option in library.candidates():
            skill = None if option.relation is None else library.skill(option.skill)
            if skill is not None and skill.picks and skill.goes_to:
                self.options.setdefault((option.arguments[skill.picks], option.arguments[skill.goes_to]), option)
        self.movable = tuple(dict.fromkeys(thing for thing, _ in self.options))
        self.targets = tuple(dict.fromkeys(place for _, place in self.options))

    def goal(self, thing: str, place: str, passing: bool = False) -> Goal:
        option = self.options.get((thing, place))
        if option is None or thing == place:
            raise Unclear(f"no skill brings the {thing} to the {place}")
        return Goal(option, thing, place, passing)

    def position(self, name: str) -> NDArray[np.float64] | None:
        """`(3,)` metres, None for an object that is not seen."""
        if name in self.library.places:
            return np.array(self.library.places[name])
        thing = find(self.objects, name)
        return None if thing is None else thing.position

    def distance(self, one: str, other: str) -> float:
        """Horizontal, metres; infinite if one of the two is not seen."""
        a, b = self.position(one), self.position(other)
        return math.inf if a is None or b is None else float(np.hypot(*(a[:2] - b[:2])))

    def free(self, place: str, but: Iterable[str] = ()) -> bool:
        """Whether no object other than `but` lies at a named place."""
        where = np.array(self.library.places[place])
        return not any(
            apart(thing, where) < max(FREE, 0.5 * float(max(thing.extent[:2]))) and thing.status != "lost" and thing.label not in but
            for thing in self.objects.objects
        )

    def lies_on(self, thing: str, lower: str) -> bool:
        one, other = find(self.objects, thing), find(self.objects, lower)
        return one is not None and other is not None and above(one, other)


def names_of(goals: Sequence[Goal], places: Mapping[str, object]) -> tuple[str, ...]:
    """Objects that the goals speak of, each once."""
    return tuple(dict.fromkeys(name for goal in goals for name in (goal.thing, goal.place) if name not in places))
