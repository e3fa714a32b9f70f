"""How things are expected to lie after a step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seesay.messages import Objects
from seesay.planner.relations import evidence_ns, find, moved
from seesay.planner.skills import Library, Option


def expected(option: Option, library: Library, objects: Objects) -> Objects:
    """The objects after an option has succeeded: what it moves lies where it goes to. Unchanged if that has no place that is known."""
    skill = library.skill(option.skill)
    thing, goal = moved(option, library, objects), option.arguments.get(skill.goes_to, "")
    support = find(objects, goal)
    if thing is None or option.relation is None or (goal not in library.places and support is None):
        return objects
    if support is None:
        position = np.array(library.places[goal]) + np.array([0.0, 0.0, thing.extent[2] / 2])
    else:
        rise = (thing.extent[2] + support.extent[2]) / 2 if option.relation == "on" else 0.01
        position = support.position + np.array([0.0, 0.0, rise])
    there = replace(thing, position=position, status="visible", last_seen_ns=evidence_ns(objects))
    return replace(objects, objects=tuple(there if other.id == thing.id else other for other in objects.objects))
