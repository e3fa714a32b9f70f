"""The bus between the processes of one host: ZeroMQ over Unix sockets in a private directory, without a master.

Each publisher binds `directory/<topic with dots>~<node>` and holds a lock file beside it; subscribers look through the directory ten
times a second and connect, so processes come and go in any order. One thread per bus owns every socket. It always receives, into
mailboxes, so that a slow consumer of a keep-latest topic gets the newest message (a small high-water mark alone gives old ones: the
kernel's buffers hold several frames). Latched values are repeated by the publisher when a subscription arrives, and so
is what a keep-all publisher says in its first two seconds, before its subscribers can have found it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from seesay._bus_io import Outlet, SocketThread
from seesay.codec import Part
from seesay.errors import BusError
from seesay.memory_bus import MemoryBus
from seesay.pubsub import AnyBus, Envelope, Gate, Publisher, Received, Stats, Subscriber
from seesay.session import list_sockets, make_session_directory, private_directory, split_name
from seesay.topics import Keep, Topic, check_name

__all__ = ["AnyBus", "Bus", "MemoryBus", "Publisher", "Received", "Stats", "Subscriber", "make_session_directory"]

M = TypeVar("M")


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
        self._lock = threading.Lock()
        self._io = SocketThread(self.directory, node, self._gate.set_open)

    def publisher(self, topic: Topic[M]) -> Publisher[M]:
        """Return this node's publisher of a topic, always the same one. Raises BusError if another process has this node's name."""
        check_name("topic", topic.name)
        with self._lock:
            if topic.name not in self._publishers:
                outlet = Outlet(topic)
                publisher = Publisher(topic, self.node, self._gate.condition, lambda head, parts: self._transmit(outlet, head, parts))
                outlet.publisher = publisher
                self._check_process()
                self._io.run(lambda: self._io.open_outlet(outlet))
                self._publishers[topic.name] = publisher
            return self._publishers[topic.name]

    def subscriber(self, topic: Topic[M], keep: Keep | None = None, depth: int | None = None) -> Subscriber[M]:
        """Return a new subscription, with its own mailbox; `keep` and `depth` override the topic's."""
        check_name("topic", topic.name)
        subscriber = Subscriber(topic, self._gate, keep, depth)
        self._check_process()
        self._io.run(lambda: self._io.open_inlet(subscriber))
        return subscriber

    def wait(self, subscribers: Iterable[Subscriber[Any]], timeout: float | None = None) -> list[Subscriber[Any]]:
        """Wait until one of `subscribers` has something unread; return those that have (none: time is up, interrupted or closed)."""
        return self._gate.wait(subscribers, timeout)

    def interrupt(self) -> None:
        """From now on no call waits; unread messages can still be taken."""
        self._gate.set_open()

    def endpoints(self) -> list[tuple[str, str]]:
        """Return (topic, node) of every publisher in the directory, also of one that was killed and has not come back."""
        return sorted(map(split_name, list_sockets(self.directory)))

    def close(self) -> None:
        """Send what is queued, close all sockets and remove their files. May be called twice."""
        self._gate.set_open()
        if os.getpid() == self._pid:
            self._io.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _transmit(self, outlet: Outlet, head: Envelope, parts: Sequence[Part]) -> None:
        self._check_process()
        outlet.queue.append((head, parts))
        self._io.wake()

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise BusError("a bus cannot be used in a forked process: start processes with spawn, or open a new Bus in the child")
