"""Which node publishes and subscribes to what, how well it goes, and where two take a topic for different things."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from seesay.bus import AnyBus, Publisher, Subscriber
from seesay.errors import ServiceError
from seesay.messages import GraphReply, GraphRequest, Header, PublisherInfo, SubscriberInfo
from seesay.services import GRAPH

TIMEOUT_S = 2.0


def describe_ends(bus: AnyBus, run: str = "") -> GraphReply:
    """Describe the publishers and subscribers of this process on `bus`; run: which node it runs."""
    publishers, subscribers = bus.ends()
    mismatches = tuple(f"{one.topic}: as {one.role}, {one.difference}" for one in bus.mismatches())
    header = Header(time.monotonic_ns())
    return GraphReply(
        header, bus.node, os.getpid(), tuple(map(_publisher, publishers)), tuple(map(_subscriber, subscribers)), mismatches, run
    )


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


def _publisher(end: Publisher[Any]) -> PublisherInfo:
    topic = end.topic
    return PublisherInfo(
        topic.name, topic.type.__name__, topic.depth, topic.latched, topic.reliable, topic.deadline_s, topic.lease_s, topic.rate_hz,
        end.sequence, end.subscribers,
    )  # fmt: skip


def _subscriber(end: Subscriber[Any]) -> SubscriberInfo:
    topic, stats = end.topic, end.stats
    return SubscriberInfo(
        topic.name, topic.type.__name__, end.depth, topic.latched, topic.reliable, topic.deadline_s, topic.lease_s,
        stats.received, stats.dropped, stats.gaps, stats.torn, stats.invalid, stats.restarts, stats.late, stats.rate_hz, topic.rate_hz,
        stats.age_s, stats.age_p50_ms, stats.age_p99_ms, stats.stamp_age_p50_ms, stats.stamp_age_p99_ms, stats.publishers,
    )  # fmt: skip
