"""Asks nodes what they publish and subscribe to."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path

from seesay.bus import AnyBus, Bus
from seesay.errors import ServiceError
from seesay.messages import GraphReply, GraphRequest, Header
from seesay.nodes import discovery
from seesay.services import GRAPH

TIMEOUT_S = 2.0


def graph_of(session: Path) -> dict[str, GraphReply]:
    """What the nodes of a running session say of themselves; those that do not answer in time are left out."""
    serving = sorted(node for service, node in discovery.servers(session).items() if service == f"{node}/graph")
    with Bus(session, discovery.own_name()) as bus:
        replies = ask_graph(bus, serving)
    return {node: reply for node, reply in replies.items() if reply is not None}


def ask_graph(bus: AnyBus, nodes: Iterable[str], timeout_s: float = TIMEOUT_S) -> dict[str, GraphReply | None]:
    """Ask all nodes at once; None stands for one that does not answer within `timeout_s`, such as a stopped process or a tool."""
    until = time.monotonic() + timeout_s
    calls: dict[str, Future[GraphReply]] = {
        node: bus.client(GRAPH.of(node=node)).call_async(GraphRequest(Header(0)), timeout_s) for node in nodes
    }
    return {node: _answer(call, until) for node, call in calls.items()}


def _answer(call: Future[GraphReply], until: float) -> GraphReply | None:
    try:
        return call.result(max(0.0, until - time.monotonic()) + 0.5)
    except (ServiceError, TimeoutError):
        return None
