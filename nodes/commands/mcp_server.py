"""A running system as tools for a language model's client, over the Model Context Protocol (`seesay mcp`, extra `mcp`).

Safety policy: the tools only read; `act` and `answer` are there only if that was allowed when the server was started. `act` takes a phrase
of the skill library, never a position or a program: the goal is made by the planner from what perception sees, impossible ones are refused,
and the executor node checks workspace, age and emergency stop as for any other goal. `answer` lets a task go on that waits for a person.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from seesay import topics
from seesay.bus import AnyBus
from seesay.errors import PromptError, SeeSayError
from seesay.messages import (
    Affordance,
    AffordancesRequest,
    Answer,
    AskRequest,
    Header,
    Object,
    ObjectsRequest,
    PlanRequest,
    QuestionRequest,
    SkillCancel,
    SkillResult,
)
from seesay.perception.prompts import clean
from seesay.services import AFFORDANCES, ANSWER, ASK, OBJECTS, PLAN, QUESTION, Service

Q = TypeVar("Q")
R = TypeVar("R")
ANSWER_S = 60.0
ACT_S = 120.0
CANCEL_S = 10.0
POLICY = (
    "See and plan on a running robot. look, find, ask, options, plan and question move nothing. act runs one option of the skill library, "
    "answer lets a waiting task go on; they are there only where the person who started this server allowed it."
)


def make_server(bus: AnyBus, allow_act: bool = False) -> MCPServer:
    """The server, to be run over stdio. allow_act: whether the arm may be moved. Positions are metres in the world frame."""
    server, tools = MCPServer("seesay", instructions=POLICY), _Tools(bus)
    offered: list[Callable[..., Any]] = [tools.look, tools.find, tools.ask, tools.options, tools.plan, tools.question]
    if allow_act:
        offered += [tools.act, tools.answer]
    for tool in offered:
        server.tool()(tool)
    return server


class _Tools:
    def __init__(self, bus: AnyBus) -> None:
        self._bus = bus
        self._acting = threading.Lock()
        self._goals, self._cancels = bus.publisher(topics.SKILL_GOAL), bus.publisher(topics.SKILL_CANCEL)
        self._results = bus.subscriber(topics.SKILL_RESULT)

    def look(self) -> list[dict[str, Any]]:
        """All objects that are known now: name, score, position in metres in the world, status."""
        return self._objects("")

    def find(self, name: str) -> list[dict[str, Any]]:
        """The objects that may go by a name, for example "red block"."""
        return self._objects(name)

    def ask(self, what: str, since_s: float = 0.0) -> list[dict[str, Any]]:
        """Where something was seen in past pictures, for example "a blue cup". since_s: of the last so many seconds, 0 for all."""
        try:
            past = self._call(ASK, AskRequest(Header(0), clean([what]), since_s))
        except PromptError as error:
            raise ToolError(str(error)) from error
        return [
            {"camera": seen.source.camera, "age_s": round(seen.age_s, 1), "score": round(seen.score, 3), "box": seen.box.round().tolist()}
            | ({} if seen.position is None else {"position": seen.position.round(4).tolist()})
            for seen in past.sightings
        ]

    def options(self) -> list[dict[str, Any]]:
        """What the robot could do now: each possible phrase with its probability of success and what lowers it."""
        return [
            {"phrase": option.phrase, "probability": option.probability, "reasons": list(option.reasons)}
            for option in self._options()
            if option.goal is not None and option.probability > 0.0
        ]

    def plan(self, instruction: str, done: list[str] | None = None) -> dict[str, Any]:
        """The next step of an instruction from how things stand. done: phrases of the steps so far. Nothing is moved."""
        plan = self._call(PLAN, PlanRequest(Header(0), instruction, tuple(done or ())))
        step, end = plan.goal.phrase if plan.goal else None, plan.result.outcome if plan.result else None
        return {"next": step, "outcome": end, "message": plan.message}

    def question(self) -> dict[str, Any]:
        """What the planner asks and waits for an answer to: the instruction and the options; nothing where it asks nothing."""
        asked = self._call(QUESTION, QuestionRequest(Header(0))).question
        return {} if asked is None else {"id": asked.id, "instruction": asked.instruction, "options": list(asked.options)}

    def answer(self, question_id: str, text: str) -> dict[str, Any]:
        """Reply to `question`: the number of an option (from 1), words that only one option has, or "none", which ends the task."""
        return {"answer": self._call(ANSWER, Answer(Header(0), question_id, text)).answer}

    def act(self, phrase: str) -> dict[str, Any]:
        """Run one phrase that `options` or `plan` gave, and wait for its end. What takes longer than two minutes is cancelled."""
        with self._acting:
            option = next((option for option in self._options() if option.phrase == phrase), None)
            if option is None:
                raise ToolError(f"expected a phrase that `options` lists, got {phrase[:80]!r}")
            if option.goal is None or option.probability == 0.0:
                raise ToolError(f"{phrase}: not possible now ({', '.join(option.reasons) or 'nothing to run'})")
            if not self._goals.wait_for_subscribers(1, ANSWER_S):
                raise ToolError("no executor listens: start the executor node")
            self._results.take_all()
            self._goals.send(option.goal)
            result = self._result(option.goal.id, ACT_S)
            if result is None:
                self._cancels.send(SkillCancel(Header(0), option.goal.id, f"it took longer than {ACT_S:g} s"))
                result = self._result(option.goal.id, CANCEL_S)
            if result is None:
                raise ToolError(
                    f"{phrase}: not ended within {ACT_S:g} s, and the executor has not answered to its cancel; look before you act again"
                )
            return {"outcome": result.outcome, "message": result.message}

    def _result(self, goal_id: str, seconds: float) -> SkillResult | None:
        end = time.monotonic() + seconds
        while (received := self._results.take(max(0.0, end - time.monotonic()))) is not None:
            if received.message.goal_id == goal_id:
                return received.message
        return None

    def _objects(self, name: str) -> list[dict[str, Any]]:
        return [_plain(thing) for thing in self._call(OBJECTS, ObjectsRequest(Header(0), name)).objects]

    def _options(self) -> tuple[Affordance, ...]:
        return self._call(AFFORDANCES, AffordancesRequest(Header(0))).affordances

    def _call(self, service: Service[Q, R], request: Q) -> R:
        try:
            return self._bus.client(service).call(request, ANSWER_S)
        except SeeSayError as error:
            raise ToolError(str(error)) from error


def _plain(thing: Object) -> dict[str, Any]:
    position = [round(float(value), 4) for value in thing.position]
    return {"id": thing.id, "name": thing.label, "score": round(thing.score, 3), "position": position, "status": thing.status}
