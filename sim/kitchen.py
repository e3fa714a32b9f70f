"""SayCan's kitchen as symbols (arXiv:2204.01691): a robot that goes between five places, and things that it carries.

No physics: a skill works when its conditions hold, and says why when they do not. The robot is an Executor as the tabletop's arm is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from seesay.executor import Report
from seesay.messages import ArmState, Header, Object, Objects, ObjectStatus, Outcome, SkillGoal, SkillResult, Source
from seesay.sim.kitchen_goals import GRIPPER, USER, kind_of

PLACES: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {"table": (2.0, 0.0, 0.8), "counter": (0.0, 3.0, 0.8), "far counter": (4.0, 3.0, 0.8), "trash": (6.0, 0.0, 0.8), USER: (0.0, 0.0, 0.8)}
)
"""Where the robot stands at a place, metres in the world frame."""
KINDS = (
    "apple", "orange", "banana", "coke can", "pepsi", "7up", "sprite can", "redbull", "lime soda", "grapefruit soda", "water bottle", "tea",
    "energy bar", "rice chips", "jalapeno chips", "multigrain chips", "sea salt chips", "sponge",
)  # fmt: skip
"""What there may be in a kitchen, names unified from SayCan dataset v0 (CC BY 4.0)."""
STEP_NS = 1_000_000_000
"""Every skill takes one simulated second."""
_GRIP = 5.0


class Impossible(Exception):
    """A skill's conditions do not hold; the message says which."""


@dataclass(frozen=True)
class State:
    """The whole kitchen at one moment. Hashable, so that plans can be searched.

    robot: its place. spots: (thing, place or "gripper") in the order of the scene. moved: things that the robot has put down.
    visited: places where it has been.
    """

    robot: str
    spots: tuple[tuple[str, str], ...]
    moved: frozenset[str] = frozenset()
    visited: frozenset[str] = frozenset()

    @property
    def where(self) -> dict[str, str]:
        return dict(self.spots)

    @property
    def held(self) -> str | None:
        """The thing in the gripper."""
        return next((thing for thing, spot in self.spots if spot == GRIPPER), None)

    def of_kind(self, kind: str) -> list[str]:
        """Things of a kind as the robot prefers them: those that it has not yet put down somewhere, then those at hand."""
        things = [thing for thing, _ in self.spots if kind in (thing, kind_of(thing))]
        return sorted(things, key=lambda thing: (thing in self.moved, self.where[thing] not in (self.robot, GRIPPER)))


def after(state: State, skill: str, argument: str = "") -> State:
    """The state after a skill (find, pick, put_down, go_to, bring) with its object or place. Raises Impossible where it cannot work."""
    held = state.held
    match skill:
        case "find":
            things = state.of_kind(argument)
            if not things:
                raise Impossible(f"there is no {argument} anywhere")
            spot = state.where[things[0]]
            return state if spot == GRIPPER else _at(state, spot)
        case "pick":
            if held is not None:
                raise Impossible(f"the gripper holds the {kind_of(held)}")
            here = [thing for thing in state.of_kind(argument) if state.where[thing] == state.robot]
            if not here:
                raise Impossible(f"there is no {argument} at the {state.robot}")
            return _put(state, here[0], GRIPPER)
        case "put_down":
            if held is None or argument not in (held, kind_of(held)):
                raise Impossible(f"the gripper does not hold the {argument}")
            return replace(_put(state, held, state.robot), moved=state.moved | {held})
        case "go_to":
            if argument not in PLACES:
                raise Impossible(f"there is no place {argument!r}")
            return _at(state, argument)
        case "bring":
            if held is None:
                raise Impossible("the gripper holds nothing to bring")
            return _at(state, USER)
    raise Impossible(f"the robot knows find, pick, put_down, go_to and bring, not {skill!r}")


class Kitchen:
    """A kitchen that runs skills on its own clock, and shows itself as messages."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.time_ns = 0

    def attempt(self, skill: str, argument: str = "") -> tuple[Outcome, str]:
        """Run a skill: how it ended, in words."""
        self.time_ns += STEP_NS
        try:
            self.state = after(self.state, skill, argument)
        except Impossible as reason:
            return "failed", str(reason)
        return "succeeded", f"{skill} {argument}".strip().replace("_", " ")

    def truth(self) -> Objects:
        """Everything that there is, in the world frame: for oracle perception and verdicts."""
        things = tuple(
            self._object(number, thing, spot) for number, (thing, spot) in enumerate(self.state.spots, start=1)
        )
        return Objects(Header(self.time_ns, frame_id="world", clock="sim", source=self._source()), things)

    def look(self) -> Objects:
        """What the robot sees from where it is: the things there, and the one in its gripper."""
        everything = self.truth()
        here = (self.state.robot, GRIPPER)
        seen = tuple(thing for thing in everything.objects if self.state.spots[thing.id - 1][1] in here)
        return replace(everything, objects=seen)

    def arm_state(self) -> ArmState:
        """Where the robot stands and whether its gripper holds something."""
        force = _GRIP if self.state.held else 0.0
        return ArmState(Header(self.time_ns, frame_id="world", clock="sim"), np.array(PLACES[self.state.robot]), 0.0, 0.04, force, 0.0)

    def _object(self, number: int, thing: str, spot: str) -> Object:
        status: ObjectStatus = "held" if spot == GRIPPER else "visible"
        where = PLACES[self.state.robot if spot == GRIPPER else spot]
        position: NDArray[np.float64] = np.array(where) + np.array([0.2 * np.cos(number), 0.2 * np.sin(number), 0.1])
        return Object(
            number, kind_of(thing), 1.0, np.zeros(4, np.float32), position, np.eye(3) * 1e-4, np.full(3, 0.07), self.time_ns,
            self._source(), status,
        )  # fmt: skip

    def _source(self) -> Source:
        return Source("head", self.time_ns // STEP_NS, self.time_ns)


class KitchenExecutor:
    """`seesay.executor.Executor` of a kitchen: a goal ends at the next `poll`. It goes by the names of the targets, not their positions."""

    def __init__(self, kitchen: Kitchen) -> None:
        self._kitchen = kitchen
        self._goals: deque[SkillGoal] = deque()
        self._reports: deque[Report] = deque()

    def start(self, goal: SkillGoal) -> None:
        self.cancel(f"another goal has come: {goal.phrase}")
        self._goals.append(goal)

    def poll(self) -> Report | None:
        if self._goals:
            goal = self._goals.popleft()
            label = next((target.label for target in goal.targets.values()), "")
            self._report(goal, *self._kitchen.attempt(goal.skill, label))
        return self._reports.popleft() if self._reports else None

    def cancel(self, reason: str) -> None:
        self._end("cancelled", reason)

    def stop(self, reason: str) -> None:
        self._end("stopped", reason)

    def _end(self, outcome: Outcome, reason: str) -> None:
        while self._goals:
            self._report(self._goals.popleft(), outcome, reason)

    def _report(self, goal: SkillGoal, outcome: Outcome, message: str) -> None:
        header = Header(self._kitchen.time_ns, frame_id="world", clock="sim", source=goal.header.source)
        self._reports.append(SkillResult(header, goal.id, outcome, message))


def _at(state: State, place: str) -> State:
    return replace(state, robot=place, visited=state.visited | {place})


def _put(state: State, thing: str, spot: str) -> State:
    return replace(state, spots=tuple((name, spot if name == thing else old) for name, old in state.spots))
