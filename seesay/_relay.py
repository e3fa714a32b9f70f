"""What comes from other hosts, published on this host's bus, and whether its publishers over there live."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import Any

from seesay.pubsub import AnyBus, Publisher, Subscriber
from seesay.topics import Topic

_log = logging.getLogger(__name__)


def living(subscribers: Iterable[Subscriber[Any]], but: str) -> list[str]:
    """The names of the topics of which a publisher lives; the node `but` does not count."""
    return [end.topic.name for end in subscribers if any(lives for node, lives in end.publishers.items() if node != but)]


class Relay:
    """Publishes in the node's own name; but a subscriber counts that as alive only while a publisher on another host is."""

    def __init__(self, bus: AnyBus) -> None:
        self._bus = bus
        self._lock = threading.Lock()
        self._publishers: dict[str, Publisher[Any]] = {}
        self._living: set[str] = set()

    def send(self, topic: Topic[Any], message: Any) -> None:
        """Publish a message. Raises BusError."""
        publisher = self._publishers.get(topic.name) or self._open(topic)
        publisher.send(message)

    def set_living(self, topics: Iterable[set[str]]) -> None:
        """Those topics live on each of the other hosts, no others."""
        with self._lock:
            self._living = set().union(*topics)
            for publisher in self._publishers.values():
                self._pass_on_life(publisher)

    def _open(self, topic: Topic[Any]) -> Publisher[Any]:
        publisher = self._bus.publisher(topic)
        with self._lock:
            self._publishers[topic.name] = publisher
            self._pass_on_life(publisher)
        return publisher

    def _pass_on_life(self, publisher: Publisher[Any]) -> None:
        lives = publisher.topic.name in self._living
        if lives and not publisher.lives:
            _log.info("topic %s: a publisher on another host lives again", publisher.topic.name)
        if publisher.lives and not lives:
            _log.warning("topic %s: no publisher on another host lives, or the link to it is down", publisher.topic.name)
        publisher.pass_on_life(lives)
