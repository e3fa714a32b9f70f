"""Options and the objects they name, bound into goals that an executor can run."""

from __future__ import annotations

import numpy as np

from seesay.errors import SkillError
from seesay.messages import Candidate, Header, Objects, SkillGoal, Target
from seesay.planner.relations import find
from seesay.planner.skills import Library, Option


def option_of(library: Library, phrase: str) -> Option:
    """The option that is said so. Raises SkillError if there is none."""
    for option in library.candidates():
        if option.phrase == phrase:
            return option
    raise SkillError(f"expected a phrase of the {library.name} skills, got {phrase!r}: correct it")


def bind(option: Option | Candidate, library: Library, objects: Objects, header: Header, goal_id: str) -> SkillGoal:
    """An option as a goal, decided at `header.stamp_ns`: positions and stamps as perceived, named places from the library.

    Raises SkillError if an object of it is not seen.
    """
    targets = {argument: _target(name, library, objects, header.stamp_ns) for argument, name in option.arguments.items()}
    return SkillGoal(header, goal_id, option.skill, option.phrase, targets)


def _target(name: str, library: Library, objects: Objects, now_ns: int) -> Target:
    if name in library.places:
        return Target(name, 0, np.array(library.places[name]), np.zeros(3), now_ns)
    thing = find(objects, name)
    if thing is None:
        raise SkillError(f"{name} not seen")
    return Target(name, thing.id, thing.position, thing.extent, thing.last_seen_ns, thing.yaw)
