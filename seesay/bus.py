"""The bus between the processes of one host: ZeroMQ over Unix sockets in a private directory, pictures in shared memory, no master.

Each publisher binds `directory/<topic with dots>~<node>` and holds a lock file beside it; subscribers look through the directory ten
times a second and connect, so processes come and go in any order. A message leaves in the thread that sends it. One thread per bus always
receives, into mailboxes, so that a slow consumer of a keep-latest topic gets the newest message (a small high-water mark alone gives old
ones: the kernel's buffers hold several frames). Latched values are repeated by the publisher when a subscription arrives, and so is what
a keep-all publisher says in its first two seconds, before its subscribers can have found it. docs/bus.md tells the whole.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from seesay._bus_io import SocketThread
from seesay._bus_services import Services
from seesay.actions import ActionClient, Goal
from seesay.calls import Client
from seesay.errors import BusError
from seesay.memory_bus import MemoryBus
from seesay.pubsub import AnyBus, Gate, Mismatch, Publisher, Received, Stats, Subscriber, find_mismatches
from seesay.services import Action, Service
from seesay.serving import Server
from seesay.session import list_services, list_sockets, make_session_directory, private_directory, split_name
from seesay.topics import Keep, Topic, check_name

__all__ = ["AnyBus", "Bus", "MemoryBus", "Mismatch", "Publisher", "Received", "Stats", "Subscriber", "make_session_directory"]

M = TypeVar("M")
Q = TypeVar("Q")
R = TypeVar("R")
G = TypeVar("G")
F = TypeVar("F")


class Bus:
    """One node's end of the bus in `directory`, which is made with mode 0700 if it is not there.

    >>> with Bus(directory, "camera") as bus:                        # doctest: +SKIP
    ...     bus.publisher(IMAGE.of(camera="front")).send(image)

    Raises BusError if others may enter the directory, if its path is too long for a socket, or in a forked child (use spawn).
    """

    def __init__(self, directory: Path | str, node: str) -> None:
        check_name("node", node)
        self.node = node
        self.directory = private_directory(Path(directory))
        self._pid = os.getpid()
        self._gate = Gate()
        self._publishers: dict[str, Publisher[Any]] = {}
        self._subscribers: list[Subscriber[Any]] = []
        self._opened_services: Services | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._io = SocketThread(self.directory, node, self._gate.set_open)

    def publisher(self, topic: Topic[M]) -> Publisher[M]:
        """Return this node's publisher of a topic, always the same one. Raises BusError if another process has this node's name."""
        check_name("topic", topic.name)
        with self._lock:
            if topic.name not in self._publishers:
                self._check_process()
                self._publishers[topic.name] = self._io.open_publisher(topic, self._gate.condition)
            return self._publishers[topic.name]

    def subscriber(self, topic: Topic[M], keep: Keep | None = None, depth: int | None = None) -> Subscriber[M]:
        """Return a new subscription, with its own mailbox; `keep` and `depth` override the topic's."""
        check_name("topic", topic.name)
        self._check_process()
        subscriber = Subscriber(topic, self._gate, keep, depth, self.node)
        self._io.open_inlet(subscriber)
        self._subscribers.append(subscriber)
        return subscriber

    def service(self, service: Service[Q, R], handler: Callable[[Q], R]) -> Server[Q, R]:
        """Answer `service` until the bus is closed. The handler runs in a thread of its own, one request at a time; what it raises is the
        caller's ServiceError. Raises BusError if somebody in the directory serves it already."""
        return self._serve(service, handler, None)

    def client(self, service: Service[Q, R]) -> Client[Q, R]:
        """Return this node's client of a service, always the same one. Its server may come later, or go and come back."""
        check_name("service", service.name)
        with self._lock:
            return self._services().client(service)

    def action_server(self, action: Action[G, F, R], handler: Callable[[Goal[G, F]], R]) -> Server[G, R]:
        """Serve `action` until the bus is closed: the handler is given one goal at a time, and returns its result."""
        return self._serve(action.service, handler, action)

    def action_client(self, action: Action[G, F, R]) -> ActionClient[G, F, R]:
        """Return a client of an action."""
        return ActionClient(action, self.client(action.service))

    def wait(self, subscribers: Iterable[Subscriber[Any]], timeout: float | None = None) -> list[Subscriber[Any]]:
        """Wait until one of `subscribers` has something unread; return those that have (none: time is up, interrupted or closed)."""
        return self._gate.wait(subscribers, timeout)

    def ends(self) -> tuple[list[Publisher[Any]], list[Subscriber[Any]]]:
        """Return all publishers and subscribers of this node."""
        with self._lock:
            return list(self._publishers.values()), list(self._subscribers)

    def mismatches(self) -> list[Mismatch]:
        """Return where this node and another take a topic for different things. The log has said so too, at both ends."""
        return find_mismatches(self._publishers.values(), self._subscribers)

    def interrupt(self) -> None:
        """From now on no call waits; unread messages can still be taken."""
        self._gate.set_open()
        if self._opened_services is not None and not self._closed:
            self._opened_services.interrupt()

    def clients(self) -> list[str]:
        """Return the names of the services that this node has a client of, in order."""
        with self._lock:
            return self._opened_services.clients() if self._opened_services is not None else []

    def services(self) -> list[tuple[str, str]]:
        """Return (service, node) of every server in the directory, for some seconds also of one that was killed."""
        return list_services(self.directory)

    def endpoints(self) -> list[tuple[str, str]]:
        """Return (topic, node) of every publisher in the directory, for some seconds also of one that was killed."""
        return sorted(map(split_name, list_sockets(self.directory)))

    def close(self) -> None:
        """Send what is queued, close all sockets and remove their files. May be called twice."""
        self._gate.set_open()
        with self._lock:
            services = None if self._closed else self._opened_services
            self._closed = True
        if os.getpid() == self._pid:
            if services is not None:
                services.stop()
            self._io.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _serve(self, service: Service[Q, R], handler: Callable[[Any], R], action: Action[Q, Any, R] | None) -> Server[Q, R]:
        check_name("service", service.name)
        with self._lock:
            return self._services().serve(service, handler, action)

    def _services(self) -> Services:
        self._check_process()
        if self._closed:
            raise BusError(f"the bus of node {self.node} is closed")
        if self._opened_services is None:
            self._opened_services = Services(self.directory, self.node)
        return self._opened_services

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise BusError("a bus cannot be used in a forked process: start processes with spawn, or open a new Bus in the child")
