"""The emergency stop as a node hears it. A file of the session keeps it, so that a node that is started again knows of it."""

from __future__ import annotations

import logging
from pathlib import Path

from seesay.messages import EmergencyStop, Header
from seesay.nodes.node import Node
from seesay.nodes.plain import write_text
from seesay.topics import EMERGENCY_STOP

_FILE = "emergency_stop"

_log = logging.getLogger(__name__)


class StopOrders:
    """What a node is told about the emergency stop; the first order is the one that still holds from before, if there is one."""

    def __init__(self, node: Node) -> None:
        self.subscriber = node.subscribe(EMERGENCY_STOP)
        self._session = node.session
        reason = kept_stop(node.session) if node.session else ""
        self._news = [EmergencyStop(Header(0), True, reason)] if reason else []

    def news(self) -> list[EmergencyStop]:
        """Return the orders since the last call, oldest first."""
        orders = [received.message for received in self.subscriber.take_all()]
        if orders and self._session:
            keep_stop(self._session, orders[-1])
        news, self._news = [*self._news, *orders], []
        return news


def keep_stop(session: Path, order: EmergencyStop) -> None:
    """Keep the stop for nodes that start later, until it is released."""
    try:
        if order.engaged:
            write_text(session / _FILE, order.reason or "emergency stop")
        else:
            (session / _FILE).unlink(missing_ok=True)
    except OSError as error:
        _log.warning("the emergency stop is not kept for nodes that start later: %s", error)


def kept_stop(session: Path) -> str:
    """Return the reason of the stop that holds in the session, an empty text if none does."""
    try:
        return (session / _FILE).read_text(encoding="utf-8", errors="replace")[:1000]
    except FileNotFoundError:
        return ""
