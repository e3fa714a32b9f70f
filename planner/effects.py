"""How things are expected to lie after a step, and what the gripper does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seesay.messages import ArmState, Object, Objects, Source
from seesay.planner.conditions import Condition
from seesay.planner.relations import HELD_FORCE, evidence_ns, find, moved
from seesay.planner.skills import Library, Option


def expected(option: Option, library: Library, objects: Objects, gripper: ArmState | None = None) -> tuple[Objects, ArmState | None]:
    """The objects and the gripper after an option has succeeded: what it moves lies where it goes to, and the skill's effects hold.

    What has no place that is known stays as it is; a gripper whose state is not known stays unknown.
    """
    objects = _moved(option, library, objects)
    for effect in library.skill(option.skill).effects:
        objects, gripper = _after(effect, option.arguments.get(effect.name, effect.name), library, objects, gripper)
    return objects, gripper


def _moved(option: Option, library: Library, objects: Objects) -> Objects:
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
    return _with(objects, replace(thing, position=position, status="visible", last_seen_ns=evidence_ns(objects)))


def _after(
    effect: Condition, name: str, library: Library, objects: Objects, gripper: ArmState | None
) -> tuple[Objects, ArmState | None]:
    """The same with one effect. Things in the gripper go where it goes."""
    thing, held = find(objects, name), [each for each in objects.objects if each.status == "held"]
    match effect.verb:
        case "near" if gripper is not None and name not in library.places and (thing is None or thing.status == "lost"):
            objects = _with(objects, _found(name, objects, gripper))
        case "near" if gripper is not None:
            spot = np.array(library.places[name]) if name in library.places or thing is None else thing.position
            gripper = replace(gripper, position=spot)
            objects = _with(objects, *(replace(each, position=spot) for each in held))
        case "held" if thing is not None:
            objects, gripper = _with(objects, replace(thing, status="held")), _gripping(gripper, 2 * HELD_FORCE)
        case "full":
            gripper = _gripping(gripper, 2 * HELD_FORCE)
        case "empty":
            objects, gripper = _with(objects, *(replace(each, status="visible") for each in held)), _gripping(gripper, 0.0)
    return objects, gripper


def _found(name: str, objects: Objects, gripper: ArmState) -> Object:
    """What was searched for, before the robot wherever that is: its place is not known beforehand."""
    stamp = evidence_ns(objects)
    source = objects.header.source or Source("", 0, stamp)
    return Object(0, name, 1.0, np.zeros(4, np.float32), gripper.position, np.eye(3), np.full(3, 0.05), stamp, source)


def _gripping(gripper: ArmState | None, force: float) -> ArmState | None:
    return None if gripper is None else replace(gripper, grip_force=force)


def _with(objects: Objects, *things: Object) -> Objects:
    """The objects with some of them changed, by their ids, or added."""
    changed = {thing.id: thing for thing in things}
    kept = [changed.pop(each.id, each) for each in objects.objects]
    return replace(objects, objects=(*kept, *changed.values()))
