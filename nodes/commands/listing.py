"""What `seesay topic list|find`, `node list` and `service list|find` do."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seesay import services, topics
from seesay.errors import BusError, ConfigError
from seesay.nodes import discovery, sessions
from seesay.nodes.graph import graph_of


def list_topics(types: bool, count: bool, as_json: bool, session: str) -> None:
    """Print what somebody publishes or subscribes to."""
    rows = _topics(sessions.running(session))
    if count or not (types or as_json):
        _print((row["name"] for row in rows), count, as_json)
        return
    _print(rows if as_json else (f"{row['name']} [{row['type']}]" for row in rows), False, as_json)


def find_topics(kind: str, count: bool, as_json: bool, session: str) -> None:
    """Print the topics of a type. Raises ConfigError for a type that no topic can have."""
    kind = _one_of(kind, {topic.type.__name__ for topic in topics.TOPICS.values()})
    _print((row["name"] for row in _topics(sessions.running(session)) if row["type"] == kind), count, as_json)


def find_services(kind: str, count: bool, as_json: bool, session: str) -> None:
    """Print the services whose request is of a type. Raises ConfigError for a type that no service takes."""
    kind = _one_of(kind, {service.request.__name__ for service in services.SERVICES.values()})
    served = discovery.servers(sessions.running(session))
    _print((name for name in served if service_type(name).partition(" -> ")[0] == kind), count, as_json)


def list_nodes(count: bool, as_json: bool, session: str) -> None:
    """Print who lives in the session."""
    _print(discovery.nodes(sessions.running(session)), count, as_json)


def list_services(types: bool, count: bool, as_json: bool, session: str) -> None:
    """Print what somebody serves."""
    found = discovery.servers(sessions.running(session))
    if count or not (types or as_json):
        _print(found, count, as_json)
    elif as_json:
        _print([{"name": name, "type": service_type(name), "node": node} for name, node in found.items()], False, True)
    else:
        _print((f"{name} [{service_type(name)}]" for name in found), False, False)


def service_type(name: str) -> str:
    """The types of a service's request and response, `unknown` for one that the table does not have."""
    try:
        service = services.find(name)
    except BusError:
        return "unknown"
    return f"{service.request.__name__} -> {service.response.__name__}"


def _topics(session: Path) -> list[dict[str, Any]]:
    """A row for each topic that somebody publishes or, as nodes answer, subscribes to."""
    published, taken, kinds = discovery.publishers(session), dict[str, list[str]](), dict[str, str]()
    for node, reply in graph_of(session).items():
        kinds |= {end.topic: end.type for end in reply.publishers + reply.subscribers}
        for name in {end.topic for end in reply.subscribers}:
            taken.setdefault(name, []).append(node)
    return [_topic(name, kinds.get(name, "unknown"), published.get(name, []), taken.get(name, [])) for name in sorted({*published, *taken})]


def _topic(name: str, kind: str, publishers: list[str], subscribers: list[str]) -> dict[str, Any]:
    ends = {"publishers": publishers, "subscribers": subscribers}
    try:
        topic = topics.find(name)
    except BusError:
        return {"name": name, "type": kind, "rate_hz": 0.0, "latched": False, **ends}
    return {"name": name, "type": topic.type.__name__, "rate_hz": topic.rate_hz, "latched": topic.latched, **ends}


def _one_of(kind: str, known: set[str]) -> str:
    """The last part of a type's name, so that sensor_msgs/msg/Image is Image."""
    if (name := re.split(r"[/.]", kind)[-1]) not in known:
        raise ConfigError(f"type: expected one of {', '.join(sorted(known))}, got {kind!r}")
    return name


def _print(rows: Iterable[Any], count: bool, as_json: bool) -> None:
    rows = list(rows)
    if as_json:
        sys.stdout.write(json.dumps(len(rows) if count else rows) + "\n")
    else:
        sys.stdout.write("".join(f"{row}\n" for row in ([len(rows)] if count else rows)))
