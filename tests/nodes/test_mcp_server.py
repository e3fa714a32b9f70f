"""The MCP server through the SDK's own client, on the simulator's arm."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from mcp import Client

from seesay.bus import AnyBus
from seesay.memory_bus import MemoryBus
from seesay.nodes.commands.mcp_server import make_server
from seesay.planner.language import ScriptedScorer
from tests.tabletop_robot import tabletop

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
            said["ask"] = await call(client, "ask")
            said["plan"] = await call(client, "plan", instruction=TOLD)
            said["unknown"] = await call(client, "act", phrase="import os")
            said["absent"] = await call(client, "act", phrase="pick up the red block and place it in the yellow bowl")
            said["act"] = await call(client, "act", phrase=PHRASE)

    with tabletop(TOLD) as robot:
        robot.serve(ScriptedScorer({PHRASE: -1.0}), lambda bus: asyncio.run(talk(bus)))
        assert robot.verdict().success
    assert [failed for failed, _ in said.values()] == [False, False, False, False, True, True, False], said
    assert "red block" in json.dumps(said["look"][1])
    assert PHRASE in json.dumps(said["ask"][1])
    assert "yellow bowl" not in json.dumps(said["ask"][1])
    assert [thing["name"] for thing in said["find"][1]["result"]] == ["red block"]
    assert said["plan"][1]["next"] == PHRASE
    assert "expected a phrase that `ask` lists" in said["unknown"][1]
    assert "yellow bowl not seen" in said["absent"][1]
    assert said["act"][1]["outcome"] == "succeeded"


def test_without_leave_there_is_no_tool_that_moves() -> None:
    async def names(bus: AnyBus) -> tuple[list[str], bool]:
        async with Client(make_server(bus)) as client:
            listed = [tool.name for tool in (await client.list_tools()).tools]
            failed, _ = await call(client, "act", phrase=PHRASE)
            return listed, failed

    with MemoryBus("mcp") as bus:
        assert asyncio.run(names(bus)) == (["look", "find", "ask", "plan"], True)
