"""What `seesay topic info` and `node info` do."""

from __future__ import annotations

from typing import Any

from seesay.bus import Bus
from seesay.errors import BusError, ConfigError
from seesay.messages import PublisherInfo, SubscriberInfo
from seesay.nodes import discovery, sessions
from seesay.nodes.commands.listing import service_type
from seesay.nodes.commands.shell import say, shown, topic_name, warn
from seesay.nodes.commands.topic_verbs import find_topic
from seesay.nodes.graph import ask_graph, graph_of


def topic_info(name: str, verbose: bool, as_json: bool, session: str) -> None:
    """Print who publishes and subscribes to a topic."""
    session_path = sessions.running(session)
    topic = find_topic(name, session_path)
    publishers = discovery.publishers(session_path).get(topic.name, [])
    graph = graph_of(session_path)
    ends = [(node, end) for node, reply in graph.items() for end in reply.publishers + reply.subscribers if end.topic == topic.name]
    offered: list[tuple[str, PublisherInfo]] = [(node, end) for node, end in ends if isinstance(end, PublisherInfo)]
    taken: list[tuple[str, SubscriberInfo]] = [(node, end) for node, end in ends if isinstance(end, SubscriberInfo)]
    mismatches = [line for reply in graph.values() for line in reply.mismatches if line.startswith(f"{topic.name}:")]
    if as_json:
        found = {
            "name": topic.name, "type": topic.type.__name__, "publisher_count": len(publishers), "subscription_count": len(taken),
            "publishers": [{"node": node, **shown_end(end)} for node, end in offered],
            "subscriptions": [{"node": node, **shown_end(end)} for node, end in taken], "mismatches": mismatches,
        }  # fmt: skip
        say(shown(found, True))
        return
    lines = [f"Type: {topic.type.__name__}", "", f"Publisher count: {len(publishers)}"]
    lines += _qos(offered, "PUBLISHER") if verbose else []
    lines += ["", f"Subscription count: {len(taken)}"]
    lines += _qos(taken, "SUBSCRIPTION") if verbose else []
    say("\n".join(line for line in lines if verbose or line))
    for line in mismatches:
        warn(f"WARNING: quality of service differs: {line}")


def node_info(name: str, as_json: bool, session: str) -> None:
    """Print the topics and services of one node. Raises ConfigError for a name that no node has, BusError if it does not answer."""
    session_path, name = sessions.running(session), topic_name(name)
    known = discovery.nodes(session_path)
    if name not in known:
        raise ConfigError(f"node: expected one of {', '.join(known) or '(none)'}, got {name!r}")
    with Bus(session_path, discovery.own_name()) as bus:
        reply = ask_graph(bus, [name])[name]
    if reply is None:
        raise BusError(f"node {name}: it does not answer; it is stopped, or a tool without services")
    servers = {service: service_type(service) for service, node in discovery.servers(session_path).items() if node == name}
    clients = {service: service_type(service) for service in reply.clients}
    if as_json:
        say(shown({"node": name, "pid": reply.pid, "publishers": reply.publishers, "subscribers": reply.subscribers,
                   "service_servers": servers, "service_clients": clients, "mismatches": reply.mismatches}, True))  # fmt: skip
        return
    say(name)
    for title, rows in (
        ("Subscribers", [f"{end.topic}: {end.type}" for end in reply.subscribers]),
        ("Publishers", [f"{end.topic}: {end.type}" for end in reply.publishers]),
        ("Service Servers", [f"{service}: {kind}" for service, kind in servers.items()]),
        ("Service Clients", [f"{service}: {kind}" for service, kind in clients.items()]),
    ):
        say("\n".join([f"  {title}:", *(f"    {row}" for row in sorted(set(rows)))]))


def shown_end(end: PublisherInfo | SubscriberInfo) -> dict[str, Any]:
    """One end of a topic without the topic's own name and type."""
    from seesay.nodes.plain import plain

    return {key: value for key, value in plain(end).items() if key not in ("topic", "type")}


def _qos(ends: list[Any], kind: str) -> list[str]:
    lines = []
    for node, end in ends:
        lines += ["", f"Node name: {node}", f"Topic type: {end.type}", f"Endpoint type: {kind}", "QoS profile:"]
        lines += [
            f"  Reliability: {'RELIABLE' if end.reliable else 'BEST_EFFORT'}",
            f"  History (Depth): KEEP_LAST ({end.depth})",
            f"  Durability: {'TRANSIENT_LOCAL' if end.latched else 'VOLATILE'}",
            f"  Deadline: {f'{end.deadline_s:g} s' if end.deadline_s else 'Infinite'}",
            f"  Liveliness lease duration: {end.lease_s:g} s",
        ]
        if isinstance(end, SubscriberInfo) and end.age_p50_ms is not None:
            lines += ["Age when taken (median, 99th percentile):", f"  Since sending: {end.age_p50_ms:.1f} ms, {end.age_p99_ms:.1f} ms"]
        if isinstance(end, SubscriberInfo) and end.stamp_age_p50_ms is not None:
            lines.append(f"  Since acquisition: {end.stamp_age_p50_ms:.1f} ms, {end.stamp_age_p99_ms:.1f} ms")
    return lines
