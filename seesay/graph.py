"""What a program publishes and subscribes to, how well it goes, and where two take a topic for different things: as a service."""

from __future__ import annotations

import os
import time
from typing import Any

from seesay.messages import GraphReply, Header, PublisherInfo, SubscriberInfo
from seesay.pubsub import AnyBus, Publisher, Subscriber
from seesay.services import GRAPH


def serve_graph(bus: AnyBus, run: str = "") -> None:
    """Serve NODE/graph, by which `seesay top`, `topic info`, `node info` and `doctor` see this program; run: which node it runs.

    Nodes of a launch file do so by themselves. Raises BusError if another program of that name does it already.
    """
    bus.service(GRAPH.of(node=bus.node), lambda request: describe_ends(bus, run))


def describe_ends(bus: AnyBus, run: str = "") -> GraphReply:
    """Describe the publishers and subscribers of this process on `bus`; run: which node it runs."""
    publishers, subscribers = bus.ends()
    mismatches = tuple(f"{one.topic}: as {one.role}, {one.difference}" for one in bus.mismatches())
    header = Header(time.monotonic_ns())
    return GraphReply(
        header, bus.node, os.getpid(), tuple(map(_publisher, publishers)), tuple(map(_subscriber, subscribers)), mismatches, run,
        tuple(bus.clients()),
    )  # fmt: skip


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
