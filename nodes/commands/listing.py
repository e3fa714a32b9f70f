"""What `seesay topic list`, `node list` and `service list` do. Nothing heavy is imported for names alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from seesay.nodes import discovery, sessions


def list_topics(types: bool, count: bool, as_json: bool, session: str) -> None:
    """Print what somebody publishes."""
    found = discovery.publishers(sessions.running(session))
    if count or not (types or as_json):
        _print(found, count, as_json)
        return
    rows = [_topic(name, nodes) for name, nodes in found.items()]
    _print(rows if as_json else (f"{row['name']} [{row['type']}]" for row in rows), False, as_json)


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
    from seesay.errors import BusError
    from seesay.services import find

    try:
        service = find(name)
    except BusError:
        return "unknown"
    return f"{service.request.__name__} -> {service.response.__name__}"


def _topic(name: str, nodes: list[str]) -> dict[str, Any]:
    from seesay import topics
    from seesay.errors import BusError

    row: dict[str, Any] = {"name": name, "type": "unknown", "rate_hz": 0.0, "latched": False, "publishers": nodes}
    try:
        topic = topics.find(name)
    except BusError:
        return row
    return row | {"type": topic.type.__name__, "rate_hz": topic.rate_hz, "latched": topic.latched}


def _print(rows: Iterable[Any], count: bool, as_json: bool) -> None:
    rows = list(rows)
    if as_json:
        sys.stdout.write(json.dumps(len(rows) if count else rows) + "\n")
    else:
        sys.stdout.write("".join(f"{row}\n" for row in ([len(rows)] if count else rows)))
