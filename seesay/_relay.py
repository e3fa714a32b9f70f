"""What comes from other hosts: it waits to be decoded, is published on this host's bus, and lives as long as its publishers over there."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from seesay._link import Link, say_lost
from seesay.codec import Part
from seesay.pubsub import AnyBus, Publisher, Subscriber
from seesay.topics import Topic

_log = logging.getLogger(__name__)


def living(subscribers: Iterable[Subscriber[Any]], but: str) -> list[str]:
    """The names of the topics of which a publisher lives; the node `but` does not count."""
    return [end.topic.name for end in subscribers if any(lives for node, lives in end.publishers.items() if node != but)]


class Inbox:
    """Messages of one topic from all peers that wait to be decoded: the newest of each peer, or the last 64 of a keep-all topic."""

    def __init__(self, topic: Topic[Any]) -> None:
        self.topic = topic
        self._condition = threading.Condition()
        self._waiting: deque[tuple[Link, int, Sequence[Part]]] = deque(maxlen=64)

    def put(self, link: Link, number: int, parts: Sequence[Part]) -> bool:
        """Let a message wait in place of older ones; tell whether it is to be acknowledged now."""
        with self._condition:
            stale = [waiting for waiting in self._waiting if waiting[0] is link] if self.topic.keep == "latest" else []
            if not stale and len(self._waiting) == self._waiting.maxlen:
                stale = [self._waiting[0]]
            for waiting in stale:
                self._waiting.remove(waiting)
            link.replaced += len(stale)
            if stale:
                say_lost(self.topic, "they come faster than they are decoded")
            self._waiting.append((link, number, parts))
            self._condition.notify()
        return self.topic.keep == "latest"

    def take(self, closed: Callable[[], bool]) -> tuple[Link, int, Sequence[Part]] | None:
        """Wait for the next message; None once `closed()` holds and `wake` was called."""
        with self._condition:
            self._condition.wait_for(lambda: closed() or self._waiting)
            return None if closed() else self._waiting.popleft()

    def wake(self) -> None:
        with self._condition:
            self._condition.notify_all()


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
