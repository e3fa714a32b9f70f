"""The MCP server through the SDK's own client, on the simulator's arm."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from mcp import Client

from seesay import topics
from seesay.bus import AnyBus
from seesay.memory_bus import MemoryBus
from seesay.messages import (
    Affordance,
    Affordances,
    Answer,
    AskRequest,
    Header,
    OpenQuestion,
    Question,
    Sighting,
    Sightings,
    SkillCancel,
    SkillGoal,
    SkillResult,
    Source,
)
from seesay.nodes.commands import mcp_server
from seesay.nodes.commands.mcp_server import make_server
from seesay.planner.language import ScriptedScorer
from seesay.services import AFFORDANCES, ANSWER, ASK, QUESTION
from tests.tabletop_robot import tabletop

LONG = 60.0
TOLD = "put the red block in the green bowl"
PHRASE = "pick up the red block and place it in the green bowl"


async def call(client: Client, tool: str, **arguments: Any) -> tuple[bool, Any]:
    """Whether the tool failed, and what it said."""
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        return True, " ".join(getattr(block, "text", "") for block in result.content)
    return False, result.structured_content


def test_a_client_looks_plans_and_acts_where_it_is_allowed() -> None:
    said: dict[str, tuple[bool, Any]] = {}

    async def talk(bus: AnyBus) -> None:
        async with Client(make_server(bus, allow_act=True)) as client:
            said["look"] = await call(client, "look")
            said["find"] = await call(client, "find", name="red block")
            said["options"] = await call(client, "options")
            said["plan"] = await call(client, "plan", instruction=TOLD)
            said["unknown"] = await call(client, "act", phrase="import os")
            said["absent"] = await call(client, "act", phrase="pick up the red block and place it in the yellow bowl")
            said["act"] = await call(client, "act", phrase=PHRASE)

    with tabletop(TOLD) as robot:
        robot.serve(ScriptedScorer({PHRASE: -1.0}), lambda bus: asyncio.run(talk(bus)))
        assert robot.verdict().success
    assert [failed for failed, _ in said.values()] == [False, False, False, False, True, True, False], said
    assert "red block" in json.dumps(said["look"][1])
    assert PHRASE in json.dumps(said["options"][1])
    assert "yellow bowl" not in json.dumps(said["options"][1])
    assert [thing["name"] for thing in said["find"][1]["result"]] == ["red block"]
    assert said["plan"][1]["next"] == PHRASE
    assert "expected a phrase that `options` lists" in said["unknown"][1]
    assert "yellow bowl not seen" in said["absent"][1]
    assert said["act"][1]["outcome"] == "succeeded"


def test_without_leave_there_is_no_tool_that_moves() -> None:
    async def names(bus: AnyBus) -> tuple[list[str], bool]:
        async with Client(make_server(bus)) as client:
            listed = [tool.name for tool in (await client.list_tools()).tools]
            failed, _ = await call(client, "act", phrase=PHRASE)
            return listed, failed

    with MemoryBus("mcp") as bus:
        assert asyncio.run(names(bus)) == (["look", "find", "ask", "options", "plan", "question"], True)


def test_past_pictures_are_asked_and_open_questions_answered() -> None:
    sighting = Sighting("a blue cup", Source("front", 3, 5), 12.34, 0.71, np.array([1.2, 2, 3, 4], np.float32), np.array([0.1, 0.2, 0.3]))
    question = Question(Header(5), "q1", "t1", "put the block away", ("red one", "blue one"), (0.5, 0.4))
    requests: list[AskRequest] = []
    answers: list[Answer] = []

    def remember(request: AskRequest) -> Sightings:
        requests.append(request)
        return Sightings(Header(5), 9, (sighting,))

    def reply(answer: Answer) -> Question:
        answers.append(answer)
        return replace(question, answer=question.options[int(answer.text) - 1])

    async def talk(bus: AnyBus) -> list[tuple[bool, Any]]:
        async with Client(make_server(bus, allow_act=True)) as client:
            return [
                await call(client, "ask", what=" a  blue cup", since_s=30.0), await call(client, "ask", what=" "),
                await call(client, "question"), await call(client, "answer", question_id="q1", text="2"),
            ]  # fmt: skip

    with MemoryBus("planner") as bus, bus.join("mcp") as outside:
        bus.service(ASK, remember)
        bus.service(QUESTION, lambda _: OpenQuestion(Header(5), question))
        bus.service(ANSWER, reply)
        seen, nothing, asked, answered = asyncio.run(talk(outside))
    (found,) = seen[1]["result"]
    assert (found["camera"], found["age_s"], found["position"]) == ("front", 12.3, [0.1, 0.2, 0.3])
    assert [(request.prompts, request.within_s) for request in requests] == [(("a blue cup",), 30.0)]
    assert nothing[0]
    assert "expected words in every prompt" in nothing[1]
    assert (asked[1]["id"], asked[1]["options"]) == ("q1", ["red one", "blue one"])
    assert answered == (False, {"answer": "blue one"})
    assert [(answer.question_id, answer.text) for answer in answers] == [("q1", "2")]


@pytest.mark.parametrize("obeys", [True, False])
def test_what_does_not_end_is_cancelled(monkeypatch: pytest.MonkeyPatch, obeys: bool) -> None:
    monkeypatch.setattr(mcp_server, "ACT_S", 0.1)
    monkeypatch.setattr(mcp_server, "CANCEL_S", LONG if obeys else 0.1)
    option = Affordance(PHRASE, 0.9, (), SkillGoal(Header(5), "g7", "pick_and_place", PHRASE, {}))
    cancels: list[SkillCancel] = []

    async def talk(bus: AnyBus) -> tuple[bool, Any]:
        async with Client(make_server(bus, allow_act=True)) as client:
            return await call(client, "act", phrase=PHRASE)

    with MemoryBus("planner") as planner, planner.join("executor") as executor, planner.join("mcp") as outside:
        planner.service(AFFORDANCES, lambda _: Affordances(Header(5), (option,)))
        goals, orders = executor.subscriber(topics.SKILL_GOAL), executor.subscriber(topics.SKILL_CANCEL)
        results = executor.publisher(topics.SKILL_RESULT)

        def work() -> None:
            order = orders.take(LONG)
            assert order is not None
            cancels.append(order.message)
            if obeys:
                results.send(SkillResult(Header(6), "another", "succeeded", ""))
                results.send(SkillResult(Header(6), order.message.goal_id, "cancelled", order.message.reason))

        thread = threading.Thread(target=work)
        thread.start()
        failed, said = asyncio.run(talk(outside))
        thread.join()
        started = goals.take(0)
    assert started is not None
    assert started.message.id == "g7"
    assert [(cancel.goal_id, cancel.reason) for cancel in cancels] == [("g7", "it took longer than 0.1 s")]
    if obeys:
        assert (failed, said) == (False, {"outcome": "cancelled", "message": "it took longer than 0.1 s"})
    else:
        assert failed
        assert "the executor has not answered to its cancel" in said
