"""The arm's skills, without I/O: generators that turn arm states into arm commands.

A skill knows the goal (positions as perceived, with their stamps) and the arm's own sensors, and nothing else: no true state of the
simulator. The same skills therefore drive a real Cartesian gripper. `run_skill` yields one `Motion` for each state sent to it and
returns the `SkillResult`. Every skill ends with the arm parked out of the cameras' view.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from seesay.messages import ArmState, Outcome, SkillGoal, SkillResult, Target
from seesay.sim.gripper import HOME, MAX_OPENING, TIP
from seesay.sim.motion import Motion, SkillFailure, Tool

T = TypeVar("T")
Steps = Generator[Motion, ArmState, T]

CARRY = 0.26
"""Height of the tool point while something is carried, metres."""
CLEARANCE = 0.011
"""Free space between each finger and the object when the gripper goes down, metres."""
FINGER_DEPTH = 0.020
"""How far below an object's top the tool point grasps at most, metres."""
LOWEST = 0.013
"""Lowest height of the tool point above the support, metres: the finger tips stay clear of the table."""
HOLDING_FORCE = 0.5
"""Grip force in newtons from which on something is between the fingers."""
BOWL_FLOOR = 0.008
"""Height of a bowl's inner floor with some play, metres."""


@dataclass(frozen=True)
class Grasp:
    """How something is held: height of its underside below the tool point, metres."""

    below: float


def run_skill(goal: SkillGoal, state: ArmState) -> Steps[SkillResult]:
    """Run a goal from `state` on: send each new ArmState, act on each Motion. Unknown skills and missing targets end as `failed`."""
    tool = Tool(goal, state)
    outcome: Outcome = "succeeded"
    try:
        message = yield from _skill(tool, goal)
    except SkillFailure as failure:
        outcome, message = failure.outcome, str(failure)
    if goal.skill not in ("go_home", "approach"):
        try:
            yield from _park(tool)
        except SkillFailure as failure:
            outcome, message = (failure.outcome, str(failure)) if outcome == "succeeded" else (outcome, message)
    return SkillResult(tool.state.header, goal.id, outcome, message)


def _skill(tool: Tool, goal: SkillGoal) -> Steps[str]:
    skills: dict[str, tuple[Callable[..., Steps[str]], tuple[str, ...]]] = {
        "pick": (_pick, ("object",)),
        "place": (_place, ("place",)),
        "pick_and_place": (_pick_and_place, ("object", "place")),
        "push": (_push, ("object", "place")),
        "approach": (_approach, ("object",)),
        "go_home": (_go_home, ()),
    }
    if goal.skill not in skills:
        raise SkillFailure("failed", f"the arm knows {', '.join(skills)}, not {goal.skill!r}")
    run, arguments = skills[goal.skill]
    for name in arguments:
        if name not in goal.targets:
            raise SkillFailure("failed", f"the skill {goal.skill} needs a target {name!r}")
    return (yield from run(tool, *(goal.targets[name] for name in arguments)))


def _pick(tool: Tool, thing: Target) -> Steps[str]:
    yield from _release_leftover(tool)
    yield from _grasp(tool, thing)
    return f"picked up the {thing.label}"


def _place(tool: Tool, place: Target) -> Steps[str]:
    if not _holding(tool):
        raise SkillFailure("failed", "the gripper holds nothing to place")
    yield from _put(tool, place, None)
    return f"placed it {_preposition(place)} {place.label}"


def _pick_and_place(tool: Tool, thing: Target, place: Target) -> Steps[str]:
    yield from _release_leftover(tool)
    grasp = yield from _grasp(tool, thing)
    yield from _put(tool, place, grasp, thing.label)
    return f"picked up the {thing.label} and placed it {_preposition(place)} {place.label}"


def _push(tool: Tool, thing: Target, place: Target) -> Steps[str]:
    """Push `thing` along the table until its centre is at `place`."""
    yield from _release_leftover(tool)
    way = place.position[:2] - thing.position[:2]
    distance = float(np.hypot(*way))
    if distance < 0.01:
        return f"the {thing.label} is at the {place.label} already"
    ahead = way / distance
    radius = 0.5 * max(thing.extent[0], thing.extent[1], 0.04)
    yaw = math.atan2(ahead[1], ahead[0]) + math.pi / 2
    height = max(LOWEST, float(thing.position[2] - 0.25 * thing.extent[2]))
    start = thing.position[:2] - ahead * (radius + 0.025)
    end = place.position[:2] - ahead * (radius + 0.004)
    tool.enter("push: go behind", 0.1)
    yield from tool.go(z=CARRY)
    yield from tool.go(xy=start, yaw=tool.nearest(yaw, math.pi), opening=0.03)
    tool.enter("push: go down", 0.3)
    if (yield from tool.descend(height, speed=0.15, lead=0.012)):
        raise SkillFailure("failed", f"something is in the way behind the {thing.label}")
    tool.enter("push: forward", 0.5)
    yield from tool.glide(end, speed=0.06)
    tool.enter("push: retreat", 0.8)
    yield from tool.go(xy=end - ahead * 0.02)
    yield from tool.go(z=CARRY)
    return f"pushed the {thing.label} to the {place.label}"


def _approach(tool: Tool, thing: Target) -> Steps[str]:
    tool.enter("go above the object", 0.5)
    yield from tool.go(z=CARRY)
    yield from tool.go(xy=thing.position[:2])
    return f"the tool is above the {thing.label}"


def _go_home(tool: Tool) -> Steps[str]:
    yield from _park(tool)
    return "the arm is home"


def _park(tool: Tool) -> Steps[None]:
    """Straight up, then home; what is held stays held."""
    tool.enter("go home", 0.92)
    opening = tool.opening if _holding(tool) else MAX_OPENING
    if tool.state.position[2] < CARRY - 0.01:
        yield from tool.go(z=CARRY)
    yield from tool.go(xy=HOME[:2], z=HOME[2], yaw=0.0, opening=opening)


def _grasp(tool: Tool, thing: Target) -> Steps[Grasp]:
    """Grasp from above and lift; a first attempt that meets an obstacle or closes on nothing is repeated a quarter turn round."""
    yaw = tool.nearest(thing.yaw, math.pi / 2)
    for attempt in range(2):
        try:
            grasp = yield from _grasp_once(tool, thing, tool.nearest(yaw + attempt * math.pi / 2, math.pi))
            break
        except SkillFailure as failure:
            if attempt or failure.outcome != "grasp_failed":
                raise
    tool.enter("lift", 0.4)
    yield from tool.go(z=CARRY)
    if not _holding(tool):
        raise SkillFailure("dropped", f"the {thing.label} slipped out of the gripper while it was lifted")
    return grasp


def _grasp_once(tool: Tool, thing: Target, yaw: float) -> Steps[Grasp]:
    top = float(thing.position[2] + thing.extent[2] / 2)
    bottom = float(thing.position[2] - thing.extent[2] / 2)
    height = max(float(thing.position[2]), top - FINGER_DEPTH, bottom + LOWEST, LOWEST)
    tool.enter("go above the object", 0.05)
    if tool.state.position[2] < CARRY - 0.01:
        yield from tool.go(z=CARRY)
    yield from tool.go(xy=thing.position[:2], yaw=yaw, opening=min(MAX_OPENING, _width(thing) + 2 * CLEARANCE))
    tool.enter("go down to the object", 0.15)
    met = (yield from tool.descend(max(top + 0.03, height), speed=0.3, lead=0.03)) or (
        yield from tool.descend(height, speed=0.12, lead=0.014)
    )
    if met and tool.state.position[2] > max(top - 0.004, height + 0.012):
        yield from tool.go(z=CARRY)
        raise SkillFailure("grasp_failed", f"the fingers met something before they were around the {thing.label}")
    tool.enter("close", 0.25)
    yield from tool.grip(0.0)
    if not _holding(tool):
        yield from tool.go(opening=MAX_OPENING)
        yield from tool.go(z=CARRY)
        raise SkillFailure("grasp_failed", f"the gripper closed on nothing where the {thing.label} was seen")
    return Grasp(float(tool.state.position[2]) - bottom)


def _put(tool: Tool, place: Target, grasp: Grasp | None, label: str = "object") -> Steps[None]:
    """Lower what is held until it touches (into a bowl: with the finger tips at its rim, as far as the floor), let go, and go straight up.

    Without a `grasp` (the object was picked by an earlier skill) the underside is felt for.
    """
    below = grasp.below if grasp else 0.06
    top = float(place.position[2] + place.extent[2] / 2)
    bowl = place.label.endswith("bowl")
    carry = max(CARRY, top + below + 0.04)
    tool.enter("carry", 0.5)
    yield from tool.go(z=carry)
    turned = tool.nearest(place.yaw, math.pi / 2) if place.label.endswith("block") else None
    yield from tool.go(xy=place.position[:2], yaw=turned)
    if not _holding(tool):
        raise SkillFailure("dropped", f"the {label} slipped out of the gripper on the way to the {place.label}")
    tool.enter("lower", 0.65)
    floor = float(place.position[2] - place.extent[2] / 2) + BOWL_FLOOR
    release = max(floor + below, top + TIP) if bowl else top + below
    lowest = release if bowl else max(release - 0.015, LOWEST)
    if not grasp:
        lowest = max(lowest - 0.065, LOWEST)
    touched = yield from tool.descend(min(carry, release + 0.02), speed=0.25, lead=0.025)
    if not touched:
        yield from tool.descend(lowest, speed=0.06, lead=0.006)
    if not _holding(tool):
        raise SkillFailure("dropped", f"the {label} slipped out of the gripper above the {place.label}")
    tool.enter("let go", 0.75)
    yield from _let_go(tool)
    if _holding(tool):
        raise SkillFailure("failed", f"the {label} is stuck between the fingers")


def _let_go(tool: Tool) -> Steps[None]:
    """Open just far enough, go straight up."""
    yield from tool.rest()
    yield from tool.grip(min(MAX_OPENING, tool.state.opening + 0.022))
    yield from tool.descend(float(tool.state.position[2]) + 0.03, speed=0.15, lead=0.03)
    yield from tool.go(z=CARRY)


def _release_leftover(tool: Tool) -> Steps[None]:
    """Put down what an earlier, interrupted skill has left in the gripper, where the arm is."""
    if not _holding(tool):
        return
    tool.enter("put down", 0.02)
    if not (abs(tool.state.position[0]) < 0.21 and abs(tool.state.position[1]) < 0.16):
        yield from tool.go(z=CARRY)
        yield from tool.go(xy=np.array([0.0, 0.12]))
    yield from tool.descend(LOWEST, speed=0.1, lead=0.01)
    yield from _let_go(tool)


def _holding(tool: Tool) -> bool:
    return tool.state.grip_force > HOLDING_FORCE


def _width(thing: Target) -> float:
    """Width between the fingers, metres: the edge of a square whose bounding box at `yaw` has the perceived extent, or the diameter."""
    spread = abs(math.cos(thing.yaw)) + abs(math.sin(thing.yaw)) if thing.label.endswith("block") else 1.0
    return min(max(float(thing.extent[0] + thing.extent[1]) / (2 * spread), 0.04), 0.075)


def _preposition(place: Target) -> str:
    if place.object_id == 0:
        return "at the"
    return "in the" if place.label.endswith("bowl") else "on the"
