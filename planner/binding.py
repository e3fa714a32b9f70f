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

    What is searched for need not be seen: its target has id 0 and no position. Raises SkillError if another object is not seen.
    """
    searches = {skill.name: skill.searches for skill in library.skills}
    searched = option.arguments.get(searches.get(option.skill, ""), "")
    targets = {
        argument: _target(name, library, objects, header.stamp_ns, name == searched) for argument, name in option.arguments.items()
    }
    return SkillGoal(header, goal_id, option.skill, option.phrase, targets)


def _target(name: str, library: Library, objects: Objects, now_ns: int, searched: bool) -> Target:
    if name in library.places:
        return Target(name, 0, np.array(library.places[name]), np.zeros(3), now_ns)
    thing = find(objects, name)
    if thing is None and searched:
        return Target(name, 0, np.zeros(3), np.zeros(3), now_ns)
    if thing is None:
        raise SkillError(f"{name} not seen")
    return Target(name, thing.id, thing.position, thing.extent, thing.last_seen_ns, thing.yaw)
