"""What of reliable topics did not reach another host, or may not have: counted, and said aloud."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

from seesay._link import Link
from seesay.topics import Topic

_log = logging.getLogger(__name__)


class Losses:
    """Counts for all peers of a gateway. Its user holds a lock."""

    def __init__(self) -> None:
        self._away: dict[str, Counter[Topic[Any]]] = {}

    def part(self, link: Link) -> None:
        """The link is down: what is not acknowledged may not have arrived."""
        missed = self._away[link.peer] = Counter({flow.topic: flow.pending for flow in link.flows.values() if flow.topic.reliable})
        for topic, count in missed.items():
            if count:
                _log.warning("topic %s: %d messages may not have reached %s, the link is down", topic.name, count, link.peer)

    def miss(self, topic: Topic[Any], count: int) -> None:
        """So many messages came for all peers that take the topic; none goes to those who are away."""
        for missed in self._away.values():
            if topic in missed:
                missed[topic] += count

    def meet(self, link: Link) -> None:
        """The peer is back, if it was away: what it missed counts as dropped."""
        for topic, count in self._away.pop(link.peer, Counter[Topic[Any]]()).items():
            link.replaced += count
            if count:
                but = ", but for the last of each publisher" if topic.latched else ""
                _log.warning("topic %s: %d messages did not reach %s while the link was down%s", topic.name, count, link.peer, but)
