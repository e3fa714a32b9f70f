"""The planner's services: what other planners ask of it. None of them moves anything."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from seesay import messages as m
from seesay.bus import Subscriber
from seesay.errors import SkillError, StaleError
from seesay.nodes.node import Node
from seesay.planner.binding import bind
from seesay.planner.prompt import LONGEST_INSTRUCTION, StepRecord
from seesay.planner.relations import score_of
from seesay.planner.saycan import SayCan
from seesay.planner.skills import DONE, Option
from seesay.planner.task import Act, End, Task
from seesay.services import AFFORDANCES, OBJECTS, PLAN, SCORE

MOST_PHRASES = 256


class PlannerServices:
    """Serves `objects`, `affordances`, `score` and `plan` until the node's bus is closed.

    model: hold it while the language model is used; the services run in threads of their own.
    """

    def __init__(self, node: Node, saycan: SayCan, objects: Subscriber[m.Objects], arm: Subscriber[m.ArmState]) -> None:
        self.model = threading.Lock()
        self._node, self._saycan, self._objects, self._arm = node, saycan, objects, arm
        self._options = {option.phrase: option for option in saycan.library.candidates()}
        self._served = 0
        node.bus.service(OBJECTS, self._find)
        node.bus.service(AFFORDANCES, self._can)
        node.bus.service(SCORE, self._score)
        node.bus.service(PLAN, self._plan)

    def _find(self, request: m.ObjectsRequest) -> m.Objects:
        objects = self._seen()
        if not request.name:
            return objects
        return replace(objects, objects=tuple(thing for thing in objects.objects if score_of(thing, request.name) > 0.0))

    def _can(self, request: m.AffordancesRequest) -> m.Affordances:
        objects, history, header = self._seen(), self._steps(request.history), self._header()
        name = self._name("affordances")
        options = enumerate(self._options.values())
        return m.Affordances(header, tuple(self._affordance(o, objects, history, header, f"{name}/{i}") for i, o in options))

    def _score(self, request: m.ScoreRequest) -> m.Scores:
        phrases = request.phrases or tuple(self._options)
        if len(phrases) > MOST_PHRASES or max(map(len, phrases)) > LONGEST_INSTRUCTION:
            raise SkillError(f"expected at most {MOST_PHRASES} phrases of {LONGEST_INSTRUCTION} characters, got more: ask in parts")
        with self.model:
            log_p = self._saycan.score(request.instruction, self._steps(request.history), phrases)
        return m.Scores(self._header(), phrases, tuple(log_p))

    def _plan(self, request: m.PlanRequest) -> m.Plan:
        objects, history, header = self._seen(), self._steps(request.history), self._header()
        instruction = m.Instruction(header, self._name("plan"), request.instruction)
        with self.model:
            task = Task(instruction, self._saycan, header.stamp_ns, max_steps=len(history) + 1, patience_s=0.0, history=history)
            move = task.advance(objects, header.stamp_ns, self._gripper())
        if isinstance(move, Act):
            return m.Plan(header, move.goal.phrase, move.step, move.goal)
        if isinstance(move, End):
            return m.Plan(header, move.result.message, move.step, None, move.result)
        return m.Plan(header, move.reason)

    def _affordance(
        self, option: Option, objects: m.Objects, history: Sequence[StepRecord], header: m.Header, goal_id: str
    ) -> m.Affordance:
        saycan = self._saycan
        can = saycan.affordances.estimate(option, saycan.library, objects, header.stamp_ns, self._gripper(), history)
        try:
            goal = None if option.skill == DONE else bind(option, saycan.library, objects, header, goal_id)
        except SkillError:
            goal = None
        return m.Affordance(option.phrase, can.probability, can.reasons, goal)

    def _seen(self) -> m.Objects:
        newest = self._objects.latest()
        if newest is None:
            raise StaleError("expected objects from perception, got none yet: start the camera and grounding nodes, or ask again")
        return newest.message

    def _gripper(self) -> m.ArmState | None:
        newest = self._arm.latest()
        return newest.message if newest else None

    def _steps(self, phrases: Sequence[str]) -> list[StepRecord]:
        for phrase in phrases:
            if phrase not in self._options:
                raise SkillError(f"history: expected phrases of the skill library, got {phrase[:80]!r}: `affordances` lists them")
        return [StepRecord(phrase) for phrase in phrases]

    def _header(self) -> m.Header:
        return self._node.header("world")

    def _name(self, service: str) -> str:
        """A name for goals that no other answer has used."""
        self._served += 1
        return f"{self._node.name}/{service}/{self._node.clock.now_ns()}-{self._served}"
