"""Which object goes by a name, and how objects lie to each other, as far as it is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from seesay.messages import ArmState, Object, Objects
from seesay.planner.conditions import Condition
from seesay.planner.skills import Library, Option

AT_PLACE = 0.05
"""Distance in metres up to which an object counts as at a named place."""
NOW_S = 1.0
"""Seconds before the newest picture within which a thing must have been seen for its place to count as seen now."""
DOUBT = 0.03
"""Metres beyond a relation's limit up to which it cannot be told whether it holds: positions are measured, not known."""

ROBOT_REACH = 1.0
"""Metres up to which a thing or a place counts as near the robot."""
HELD_FORCE = 0.5
"""Newtons from which on the gripper holds something."""


def evidence_ns(objects: Objects) -> int:
    """Stamp of the newest picture behind the objects."""
    return objects.header.source.stamp_ns if objects.header.source else objects.header.stamp_ns


def score_of(thing: Object, name: str) -> float:
    """Score in [0, 1] under which an object goes by that name; 0 if it does not."""
    scores = [alternative.score for alternative in thing.alternatives if alternative.label == name]
    return max([thing.score if thing.label == name else 0.0, *scores])


def find(objects: Objects, name: str) -> Object | None:
    """The object that most surely goes by that name, None if there is none.

    One whose best label it is goes before one that might also be called so (at least 0.2 and half the score of its best label);
    then those that are not lost, those that are seen now (what was carried away may be known at its old place too), the best score, the
    lowest id.
    """
    named = [thing for thing in objects.objects if thing.label == name] or [
        thing for thing in objects.objects if score_of(thing, name) >= max(0.2, 0.5 * thing.score)
    ]
    since = evidence_ns(objects) - NOW_S * 1e9
    return min(
        named, key=lambda thing: (thing.status == "lost", thing.last_seen_ns < since, -score_of(thing, name), thing.id), default=None
    )


def apart(thing: Object, position: NDArray[np.float64]) -> float:
    """Horizontal distance in metres."""
    return float(np.hypot(*(thing.position[:2] - position[:2])))


def near(thing: Object, place: NDArray[np.float64]) -> bool:
    """Whether an object is at a named place, `place` (3,) metres in the objects' frame."""
    return apart(thing, place) <= AT_PLACE


def above(thing: Object, lower: Object) -> bool:
    """Whether an object stands on another: over its middle, and higher by what two things on each other differ at least."""
    rise = float(thing.position[2] - lower.position[2])
    return apart(thing, lower.position) <= 0.03 and rise > 0.02


def inside(thing: Object, container: Object) -> bool:
    """Whether an object lies within the outline of a bowl or plate, at any height up to 0.12 m over its centre."""
    rise = float(thing.position[2] - container.position[2])
    return apart(thing, container.position) <= _outline(container) and -0.03 < rise < 0.12


def _outline(container: Object) -> float:
    return max(0.4 * float(max(container.extent[:2])), 0.035)


def moved(option: Option, library: Library, objects: Objects) -> Object | None:
    """The object that an option moves, None if it is not seen."""
    return find(objects, option.arguments.get(library.skill(option.skill).picks, ""))


def holds(option: Option, library: Library, objects: Objects, gripper: ArmState | None = None) -> bool | None:
    """Whether an option's effect is seen to hold now: its relation, or where it has none, the effects that its skill states.

    None where that cannot be told: no effect, the moved thing not seen in the newest pictures (a thing that vanished into a bowl may
    still be known at its old place), positions within `DOUBT` of the relation's limit, or effects on a gripper whose state is not known.
    """
    skill = library.skill(option.skill)
    if option.relation is None:
        return _all_hold(skill.effects, option, library, objects, gripper)
    thing = moved(option, library, objects)
    goal = option.arguments.get(skill.goes_to, "")
    newest = evidence_ns(objects)
    if thing is None or thing.status != "visible" or newest - thing.last_seen_ns > NOW_S * 1e9:
        return None
    if goal in library.places:
        place = np.array(library.places[goal])
        return _surely(near(thing, place), apart(thing, place) > AT_PLACE + DOUBT)
    support = find(objects, goal)
    if support is None or support.id == thing.id or support.status not in ("visible", "occluded"):
        return None
    distance = apart(thing, support.position)
    if option.relation == "in":
        return _surely(inside(thing, support), distance > _outline(support) + DOUBT)
    return _surely(above(thing, support), distance > 0.03 + DOUBT)


def _all_hold(
    effects: Sequence[Condition], option: Option, library: Library, objects: Objects, gripper: ArmState | None
) -> bool | None:
    found = []
    for effect in effects:
        hidden = effect.verb == "held" and not everything_named(objects, option.arguments.get(effect.name, effect.name))
        found.append(None if hidden else satisfied(effect, option.arguments, library.places, objects, gripper))
    if False in found:
        return False
    return True if found and None not in found else None


def _surely(yes: bool, no: bool) -> bool | None:
    return yes if yes or no else None


def full(gripper: ArmState | None) -> bool | None:
    """Whether the gripper holds something; None if its state is not known."""
    return None if gripper is None else gripper.grip_force > HELD_FORCE


def everything_named(objects: Objects, name: str) -> list[Object]:
    """All objects that go by a name and are not lost."""
    return [thing for thing in objects.objects if thing.status != "lost" and score_of(thing, name) > 0.0]


def satisfied(
    condition: Condition,
    arguments: Mapping[str, str],
    places: Mapping[str, tuple[float, float, float]],
    objects: Objects,
    gripper: ArmState | None,
    *,
    by_all: bool = False,
) -> bool | None:
    """Whether a condition holds as far as is perceived; None where that cannot be told.

    Several things may go by one name: one that fits is enough, unless `by_all`. Positions are in the frame of `objects`; the robot is
    where `gripper` is.
    """
    if condition.verb in ("empty", "full"):
        state = full(gripper)
        return None if state is None else state == (condition.verb == "full")
    name = arguments.get(condition.name, condition.name)
    things = everything_named(objects, name)
    if condition.verb == "held":
        return any(thing.status == "held" for thing in things)
    if gripper is None:
        return None
    spots = [np.array(places[name])] if name in places else [thing.position for thing in things]
    at_hand = [bool(np.hypot(*(spot[:2] - gripper.position[:2])) <= ROBOT_REACH) for spot in spots]
    return bool(at_hand) and (all(at_hand) if by_all else any(at_hand))
