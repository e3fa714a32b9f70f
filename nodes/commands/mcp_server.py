"""A running system as tools for a language model's client, over the Model Context Protocol (`seesay mcp`, extra `mcp`).

Safety policy: the tools only read, and `act` is there only if it was allowed when the server was started. `act` takes a phrase of the skill
library, never a position or a program: the goal is made by the planner from what perception sees, impossible ones are refused,
and the executor node checks workspace, age and emergency stop as for any other goal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from seesay import topics
from seesay.bus import AnyBus
from seesay.errors import SeeSayError
from seesay.messages import Affordance, AffordancesRequest, Header, Object, ObjectsRequest, PlanRequest
from seesay.services import AFFORDANCES, OBJECTS, PLAN

ANSWER_S = 60.0
ACT_S = 120.0
POLICY = (
    "See and plan on a running robot. look, find, ask and plan move nothing. act runs one option of the skill library; "
    "it is there only where the person who started this server allowed it."
)


def make_server(bus: AnyBus, allow_act: bool = False) -> MCPServer:
    """The server, to be run over stdio. allow_act: whether the arm may be moved. Positions are metres in the world frame."""
    server, tools = MCPServer("seesay", instructions=POLICY), _Tools(bus)
    offered: list[Callable[..., Any]] = [tools.look, tools.find, tools.ask, tools.plan]
    for tool in [*offered, tools.act] if allow_act else offered:
        server.tool()(tool)
    return server


class _Tools:
    def __init__(self, bus: AnyBus) -> None:
        self._bus = bus
        self._acting = threading.Lock()
        self._goals, self._results = bus.publisher(topics.SKILL_GOAL), bus.subscriber(topics.SKILL_RESULT)

    def look(self) -> list[dict[str, Any]]:
        """All objects that are known now: name, score, position in metres in the world, status."""
        return self._objects("")

    def find(self, name: str) -> list[dict[str, Any]]:
        """The objects that may go by a name, for example "red block"."""
        return self._objects(name)

    def ask(self) -> list[dict[str, Any]]:
        """What the robot could do now: each possible phrase with its probability of success and what lowers it."""
        return [
            {"phrase": option.phrase, "probability": option.probability, "reasons": list(option.reasons)}
            for option in self._options()
            if option.goal is not None and option.probability > 0.0
        ]

    def plan(self, instruction: str, done: list[str] | None = None) -> dict[str, Any]:
        """The next step of an instruction from how things stand. done: phrases of the steps so far. Nothing is moved."""
        try:
            plan = self._bus.client(PLAN).call(PlanRequest(Header(0), instruction, tuple(done or ())), ANSWER_S)
        except SeeSayError as error:
            raise ToolError(str(error)) from error
        step, end = plan.goal.phrase if plan.goal else None, plan.result.outcome if plan.result else None
        return {"next": step, "outcome": end, "message": plan.message}

    def act(self, phrase: str) -> dict[str, Any]:
        """Run one phrase that `ask` or `plan` gave, and wait for its end."""
        with self._acting:
            option = next((option for option in self._options() if option.phrase == phrase), None)
            if option is None:
                raise ToolError(f"expected a phrase that `ask` lists, got {phrase[:80]!r}")
            if option.goal is None or option.probability == 0.0:
                raise ToolError(f"{phrase}: not possible now ({', '.join(option.reasons) or 'nothing to run'})")
            if not self._goals.wait_for_subscribers(1, ANSWER_S):
                raise ToolError("no executor listens: start the executor node")
            self._results.take_all()
            self._goals.send(option.goal)
            while (result := self._results.take(ACT_S)) is not None:
                if result.message.goal_id == option.goal.id:
                    return {"outcome": result.message.outcome, "message": result.message.message}
        raise ToolError(f"{phrase}: the executor has not answered within {ACT_S:g} s; look before you act again")

    def _objects(self, name: str) -> list[dict[str, Any]]:
        try:
            return [_plain(thing) for thing in self._bus.client(OBJECTS).call(ObjectsRequest(Header(0), name), ANSWER_S).objects]
        except SeeSayError as error:
            raise ToolError(str(error)) from error

    def _options(self) -> tuple[Affordance, ...]:
        try:
            return self._bus.client(AFFORDANCES).call(AffordancesRequest(Header(0)), ANSWER_S).affordances
        except SeeSayError as error:
            raise ToolError(str(error)) from error


def _plain(thing: Object) -> dict[str, Any]:
    position = [round(float(value), 4) for value in thing.position]
    return {"id": thing.id, "name": thing.label, "score": round(thing.score, 3), "position": position, "status": thing.status}
