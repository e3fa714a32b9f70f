"""Who publishes and who serves what in a running session, read off its directory: no socket is opened for it."""

from __future__ import annotations

import os
from pathlib import Path

from seesay.nodes import sessions
from seesay.session import list_services, list_sockets, split_name

TOOLS = "cli-"   # what commands call themselves on the bus; they are not shown


def own_name() -> str:
    """What this command calls itself on the bus."""
    return f"{TOOLS}{os.getpid()}"


def publishers(session: Path) -> dict[str, list[str]]:
    """Return the nodes that publish each topic, both in order of name; those that were killed are left out."""
    found: dict[str, list[str]] = {}
    for file in sorted(list_sockets(session)):
        topic, node = split_name(file)
        if not node.startswith(TOOLS) and sessions.is_held(session / f"{file}.lock"):
            found.setdefault(topic, []).append(node)
    return found


def servers(session: Path) -> dict[str, str]:
    """Return the node that serves each service, in order of name; those that were killed are left out."""
    return {name: node for name, node in list_services(session) if sessions.is_held(session / f"{name.replace('/', '.')}.srv.lock")}


def nodes(session: Path) -> list[str]:
    """Return the nodes that live in the session, in order of name."""
    found = {node for names in publishers(session).values() for node in names} | set(servers(session).values())
    return sorted(node for node in found if not node.startswith(TOOLS))
