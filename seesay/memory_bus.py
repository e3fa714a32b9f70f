"""A bus inside one process, for tests and for nodes that run as threads."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from seesay._ring import Slot
from seesay._terms import Terms
from seesay.actions import ActionClient, Goal
from seesay.calls import Client
from seesay.codec import Envelope, Part
from seesay.memory_calls import MemoryCalls, Switchboard
from seesay.pubsub import Gate, Mismatch, Publisher, Subscriber, find_mismatches
from seesay.services import Action, Service
from seesay.serving import Server
from seesay.topics import Keep, Topic, check_name

M = TypeVar("M")
Q = TypeVar("Q")
R = TypeVar("R")
G = TypeVar("G")
F = TypeVar("F")


class MemoryBus:
    """`seesay.bus.Bus` without sockets. Messages go through the codec as on a real bus; a receiver shares the sender's large arrays.

    >>> camera = MemoryBus("camera")            # doctest: +SKIP
    >>> detector = camera.join("detector")      # another node on the same bus
    """

    def __init__(self, node: str = "memory", hub: _Hub | None = None) -> None:
        check_name("node", node)
        self.node = node
        self._hub = hub or _Hub()
        self._gate = Gate()
        self._calls = MemoryCalls(node, self._hub.switchboard)
        self._publishers: dict[str, Publisher[Any]] = {}
        self._subscribers: list[Subscriber[Any]] = []

    def join(self, node: str) -> MemoryBus:
        """Return the same bus as another node sees it."""
        return MemoryBus(node, self._hub)

    def publisher(self, topic: Topic[M]) -> Publisher[M]:
        check_name("topic", topic.name)
        if topic.name not in self._publishers:
            line = _Line(topic, self._hub)
            publisher = line.publisher = Publisher(topic, self.node, self._gate.condition, line)
            self._publishers[topic.name] = publisher
            self._hub.add_publisher(publisher)
        return self._publishers[topic.name]

    def subscriber(self, topic: Topic[M], keep: Keep | None = None, depth: int | None = None) -> Subscriber[M]:
        check_name("topic", topic.name)
        subscriber = Subscriber(topic, self._gate, keep, depth, self.node)
        self._subscribers.append(subscriber)
        self._hub.add_subscriber(subscriber)
        return subscriber

    def service(self, service: Service[Q, R], handler: Callable[[Q], R]) -> Server[Q, R]:
        return self._calls.serve(service, handler)

    def client(self, service: Service[Q, R]) -> Client[Q, R]:
        return self._calls.client(service)

    def action_server(self, action: Action[G, F, R], handler: Callable[[Goal[G, F]], R]) -> Server[G, R]:
        return self._calls.serve(action.service, handler, action)

    def action_client(self, action: Action[G, F, R]) -> ActionClient[G, F, R]:
        return ActionClient(action, self.client(action.service))

    def clients(self) -> list[str]:
        return self._calls.clients()

    def services(self) -> list[tuple[str, str]]:
        return self._hub.switchboard.services()

    def wait(self, subscribers: Iterable[Subscriber[Any]], timeout: float | None = None) -> list[Subscriber[Any]]:
        return self._gate.wait(subscribers, timeout)

    def ends(self) -> tuple[list[Publisher[Any]], list[Subscriber[Any]]]:
        return list(self._publishers.values()), list(self._subscribers)

    def mismatches(self) -> list[Mismatch]:
        return find_mismatches(self._publishers.values(), self._subscribers)

    def endpoints(self) -> list[tuple[str, str]]:
        return self._hub.endpoints()

    def interrupt(self) -> None:
        self._gate.set_open()
        self._calls.interrupt()

    def close(self) -> None:
        self._gate.set_open()
        self._calls.close()
        self._hub.remove(self._publishers.values(), self._subscribers)
        self._publishers.clear()
        self._subscribers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class _Line:
    """The `Transmitter` of a publisher. A loan is an array of its own, which the receivers then share."""

    publisher: Publisher[Any]

    def __init__(self, topic: Topic[Any], hub: _Hub) -> None:
        self._topic = topic
        self._hub = hub

    def reserve(self, size: int) -> Slot | None:
        return None

    def transmit(self, head: Envelope, parts: Sequence[Part], slot: Slot | None) -> None:
        self._hub.send(self._topic, head.carrying(parts[0]), parts[1:])

    def tell_life(self) -> None:
        self._hub.tell_life(self.publisher)


class _Hub:
    """All publishers and subscribers of one in-process bus, and the last values of latched topics."""

    def __init__(self) -> None:
        self.switchboard = Switchboard()
        self._lock = threading.RLock()
        self._publishers: list[Publisher[Any]] = []
        self._subscribers: list[Subscriber[Any]] = []
        self._latched: dict[str, dict[tuple[bytes, str], tuple[Envelope, Sequence[Part]]]] = {}

    def send(self, topic: Topic[Any], envelope: Envelope, buffers: Sequence[Part]) -> None:
        with self._lock:
            if topic.latched:
                self._latched.setdefault(topic.name, {})[envelope.instance, envelope.key] = (envelope, buffers)
            for subscriber in self._subscribers:
                if subscriber.topic.name == topic.name:
                    subscriber.deliver(envelope, buffers, lease_s=math.inf)

    def tell_life(self, publisher: Publisher[Any]) -> None:
        with self._lock:
            for subscriber in self._subscribers:
                if subscriber.topic.name == publisher.topic.name:
                    _tell_life(publisher, subscriber)

    def endpoints(self) -> list[tuple[str, str]]:
        with self._lock:
            return sorted((publisher.topic.name, publisher.node) for publisher in self._publishers)

    def add_publisher(self, publisher: Publisher[Any]) -> None:
        with self._lock:
            self._publishers.append(publisher)
            for subscriber in self._subscribers:
                _introduce(publisher, subscriber)

    def add_subscriber(self, subscriber: Subscriber[Any]) -> None:
        with self._lock:
            self._subscribers.append(subscriber)
            for publisher in self._publishers:
                _introduce(publisher, subscriber)
            for envelope, buffers in self._latched.get(subscriber.topic.name, {}).values():
                subscriber.deliver(envelope.repeated(), buffers, lease_s=math.inf)

    def remove(self, publishers: Iterable[Publisher[Any]], subscribers: Iterable[Subscriber[Any]]) -> None:
        with self._lock:
            for publisher in publishers:
                self._publishers.remove(publisher)
                for subscriber in self._subscribers:
                    if subscriber.topic.name == publisher.topic.name:
                        subscriber.part(publisher.envelope())
                latched = self._latched.get(publisher.topic.name, {})
                for key in [key for key in latched if key[0] == publisher.instance]:
                    del latched[key]
            for subscriber in subscribers:
                self._subscribers.remove(subscriber)
                for publisher in self._publishers:
                    if publisher.topic.name == subscriber.topic.name:
                        publisher.count_subscriber(-1)


def _introduce(publisher: Publisher[Any], subscriber: Subscriber[Any]) -> None:
    if publisher.topic.name == subscriber.topic.name:
        publisher.count_subscriber(1)
        publisher.meet(Terms.of(subscriber.node, subscriber.topic))
        _tell_life(publisher, subscriber)


def _tell_life(publisher: Publisher[Any], subscriber: Subscriber[Any]) -> None:
    subscriber.hear(publisher.envelope(), Terms.of(publisher.node, publisher.topic), math.inf)
    if not publisher.lives:
        subscriber.part(publisher.envelope())
