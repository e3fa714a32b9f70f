"""What `seesay lifecycle` does."""

from __future__ import annotations

from pathlib import Path
from typing import cast, get_args

from seesay.bus import Bus
from seesay.errors import ConfigError
from seesay.messages import Transition
from seesay.nodes import discovery, sessions
from seesay.nodes.commands.shell import say, shown, topic_name
from seesay.nodes.lifecycle import change_state

_NAMES = {"starting": "unconfigured", "ready": "active", "inactive": "inactive", "failed": "finalized", "stopped": "finalized"}

_NEXT = {
    "starting": {"shutdown": "stopped"},
    "ready": {"deactivate": "inactive", "configure": "starting", "shutdown": "stopped"},
    "inactive": {"activate": "ready", "configure": "starting", "shutdown": "stopped"},
}


def list_nodes(count: bool, as_json: bool, session: str) -> None:
    """Print the nodes that have a life-cycle."""
    found = sorted(node for name, node in discovery.servers(sessions.running(session)).items() if name == f"{node}/lifecycle")
    say(shown(len(found) if count else found, True) if as_json or count else "\n".join(found))


def list_transitions(node: str, as_json: bool, session: str) -> None:
    """Print the transitions that a node can make now."""
    directory = sessions.running(session)
    name = _known(node, directory)
    with Bus(directory, discovery.own_name()) as bus:
        state = change_state(bus, name).state
    rows = [{"transition": word, "start": _NAMES[state], "goal": _NAMES[goal]} for word, goal in _NEXT.get(state, {}).items()]
    if as_json:
        say(shown(rows, True))
        return
    for row in rows:
        say(f"- {row['transition']}\n\tStart: {row['start']}\n\tGoal: {row['goal']}")


def change(node: str, transition: str, as_json: bool, session: str) -> None:
    """Print the state of a node, after a transition unless that is empty. Raises ConfigError if the node is in no state for it."""
    allowed = [name for name in get_args(Transition) if name]
    if transition and transition not in allowed:
        raise ConfigError(f"transition: expected one of {', '.join(allowed)}, got {transition!r}")
    directory = sessions.running(session)
    name = _known(node, directory)
    with Bus(directory, discovery.own_name()) as bus:
        status = change_state(bus, name, cast(Transition, transition))
    if as_json:
        say(shown(status, True))
    else:
        say("Transitioning successful" if transition else f"{_NAMES[status.state]} ({status.state})")


def _known(node: str, session: Path) -> str:
    name, known = topic_name(node), discovery.nodes(session)
    if name not in known:
        raise ConfigError(f"node: expected one of {', '.join(known) or '(none)'}, got {name!r}")
    return name
