"""What `seesay lifecycle` does."""

from __future__ import annotations

from typing import cast, get_args

from seesay.bus import Bus
from seesay.errors import ConfigError
from seesay.messages import Transition
from seesay.nodes import discovery, sessions
from seesay.nodes.commands.shell import say, shown, topic_name
from seesay.nodes.lifecycle import change_state

_NAMES = {"starting": "unconfigured", "ready": "active", "inactive": "inactive", "failed": "finalized", "stopped": "finalized"}


def change(node: str, transition: str, as_json: bool, session: str) -> None:
    """Print the state of a node, after a transition unless that is empty. Raises ConfigError if the node is in no state for it."""
    allowed = [name for name in get_args(Transition) if name]
    if transition and transition not in allowed:
        raise ConfigError(f"transition: expected one of {', '.join(allowed)}, got {transition!r}")
    directory, name = sessions.running(session), topic_name(node)
    known = discovery.nodes(directory)
    if name not in known:
        raise ConfigError(f"node: expected one of {', '.join(known) or '(none)'}, got {name!r}")
    with Bus(directory, discovery.own_name()) as bus:
        status = change_state(bus, name, cast(Transition, transition))
    if as_json:
        say(shown(status, True))
    else:
        say("Transitioning successful" if transition else f"{_NAMES[status.state]} ({status.state})")
