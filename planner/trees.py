"""Behaviours for py_trees (extra `trees`): find, approach, act and check, over a robot that looks and runs goals.

>>> Sequence("tidy", memory=True, children=[      # doctest: +SKIP
...     Find(robot, "red block"), Approach(robot, "red block"), Act(robot, phrase), Check(robot, phrase)])
"""

from __future__ import annotations

import uuid
from abc import abstractmethod
from typing import Protocol

from py_trees.behaviour import Behaviour
from py_trees.common import Status

from seesay.errors import SkillError
from seesay.executor import Executor
from seesay.messages import Objects, SkillGoal, SkillResult
from seesay.planner.binding import bind, option_of
from seesay.planner.relations import find, holds
from seesay.planner.skills import Library, Option


class Robot(Protocol):
    """What the behaviours need. executor: best a SafeExecutor; the behaviour that runs polls it once a tick."""

    @property
    def library(self) -> Library: ...

    @property
    def executor(self) -> Executor: ...

    def look(self) -> Objects:
        """Return the objects in the world frame, as seen now."""
        ...


class Find(Behaviour):
    """Succeeds when a thing of that name is seen, fails after `looks` looks without."""

    def __init__(self, robot: Robot, thing: str, looks: int = 10) -> None:
        super().__init__(f"find the {thing}")
        self._robot, self._thing, self._looks = robot, thing, looks

    def initialise(self) -> None:
        self._left = self._looks

    def update(self) -> Status:
        self._left -= 1
        seen = find(self._robot.look(), self._thing)
        if seen is not None and seen.status == "visible":
            self.feedback_message = f"{seen.label} seen, score {seen.score:.2f}"
            return Status.SUCCESS
        self.feedback_message = f"{self._thing} not seen"
        return Status.RUNNING if self._left > 0 else Status.FAILURE


class _Run(Behaviour):
    """Runs one goal, made from fresh objects when the behaviour begins; interrupted, it cancels the goal."""

    def __init__(self, robot: Robot, name: str) -> None:
        super().__init__(name)
        self._robot = robot
        self._goal: SkillGoal | None = None

    @abstractmethod
    def option(self) -> Option: ...

    def initialise(self) -> None:
        objects = self._robot.look()
        try:
            self._goal = bind(self.option(), self._robot.library, objects, objects.header, f"tree/{uuid.uuid4().hex}")
        except SkillError as error:
            self._goal, self.feedback_message = None, str(error)
            return
        self._robot.executor.start(self._goal)

    def update(self) -> Status:
        if self._goal is None:
            return Status.FAILURE
        report = self._robot.executor.poll()
        if not isinstance(report, SkillResult) or report.goal_id != self._goal.id:
            return Status.RUNNING
        self._goal, self.feedback_message = None, report.message
        return Status.SUCCESS if report.outcome == "succeeded" else Status.FAILURE

    def terminate(self, new_status: Status) -> None:
        if new_status is Status.INVALID and self._goal is not None:
            self._robot.executor.cancel(f"{self.name}: the tree went another way")
            self._goal = None


class Approach(_Run):
    """Takes the tool above a thing."""

    def __init__(self, robot: Robot, thing: str) -> None:
        super().__init__(robot, f"approach the {thing}")
        self._thing = thing

    def option(self) -> Option:
        return Option(self.name, "approach", {"object": self._thing})


class Act(_Run):
    """Runs an option of the skill library by its phrase. Raises SkillError for a phrase that the library lacks."""

    def __init__(self, robot: Robot, phrase: str) -> None:
        super().__init__(robot, phrase)
        self._option = option_of(robot.library, phrase)

    def option(self) -> Option:
        return self._option


class Check(Behaviour):
    """Succeeds when an option's effect is seen to hold, fails when it is seen not to, or after `looks` looks that cannot tell."""

    def __init__(self, robot: Robot, phrase: str, looks: int = 10) -> None:
        super().__init__(f"check: {phrase}")
        self._robot, self._looks = robot, looks
        self._option = option_of(robot.library, phrase)

    def initialise(self) -> None:
        self._left = self._looks

    def update(self) -> Status:
        self._left -= 1
        held = holds(self._option, self._robot.library, self._robot.look())
        self.feedback_message = {True: "it holds", False: "it does not hold", None: "it cannot be told"}[held]
        if held is None and self._left > 0:
            return Status.RUNNING
        return Status.SUCCESS if held else Status.FAILURE
