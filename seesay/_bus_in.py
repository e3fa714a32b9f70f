"""A subscriber's socket, and the shared memory of its publishers."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zmq

from seesay._bus_data import Socket, configure, prefix_of, receive
from seesay._bus_fds import RingLink
from seesay._bus_watch import Bell, Watch
from seesay._ring import AVAILABLE
from seesay._subscriber import Subscriber
from seesay._terms import Terms
from seesay.codec import BEAT, FAREWELL, MAX_PARTS, Envelope, Part
from seesay.errors import BusError, WireError
from seesay.session import split_name
from seesay.topics import check_name

_log = logging.getLogger(__name__)

_GONE_SCANS = 20


class Inlet:
    """A subscribed socket, and connections to the publishers whose pictures are in shared memory.

    The bus's thread receives from them, except while a consumer waits for a message: then the consumer receives itself. `_turn` is held by
    the one consumer that does, `_access` around any use of the sockets.
    Messages whose ring is not mapped yet wait in `_parked`, so that nothing blocks.
    """

    def __init__(self, subscriber: Subscriber[Any], directory: Path, context: zmq.Context[Socket], watch: Watch) -> None:
        self.subscriber = subscriber
        self._socket: Socket = context.socket(zmq.SUB)
        self._directory = directory
        self._watch = watch
        self._turn, self._access = threading.Lock(), threading.Lock()
        self._waiting = self._closed = False
        self._ready: list[tuple[int, int]] = []
        self._connected: dict[str, int] = {}
        self._links: dict[str, RingLink] = {}
        self._linked: dict[int, str] = {}
        self._parked: deque[Envelope] = deque(maxlen=max(2, subscriber.topic.depth))
        self._prefix = prefix_of(subscriber.topic)
        configure(self._socket, subscriber.topic, AVAILABLE and not subscriber.topic.latched)
        self._socket.setsockopt(zmq.SUBSCRIBE, self._prefix + b"\x01" + Terms.of(subscriber.node, subscriber.topic).pack().encode())
        self._socket.setsockopt(zmq.SUBSCRIBE, self._prefix)
        self._own = Watch()
        self._own.add(self._socket.fileno())
        self._bell = Bell() if Watch.shared else None
        if self._bell is not None:
            self._own.add(self._bell.fileno())
            subscriber.gate.bells.append(self._bell.ring)
        self.descriptor = self._own.fileno() if Watch.shared else self._socket.fileno()
        watch.add(self.descriptor)

    def begin(self) -> int | None:
        """As `Waiter.begin`."""
        if not Watch.shared or not self._turn.acquire(blocking=False):
            return None
        with self._access:
            if self._closed:
                self._turn.release()
                return None
            self._watch.pause(self.descriptor)
            self._waiting = True
        return self.descriptor

    def wait(self, seconds: float | None) -> None:
        """As `Waiter.wait`."""
        self._ready = self._own.wait(seconds)

    def end(self) -> None:
        """As `Waiter.end`."""
        with self._access:
            self._waiting = False
            ready, self._ready = self._ready, []
            if not self._closed:
                self._receive(ready or self._own.wait())
                self._watch.resume(self.descriptor)
        self._turn.release()

    def receive(self) -> None:
        """In the bus's thread: take in what has come."""
        with self._access:
            self._receive(self._own.wait())
        self._wake_consumer()

    def scan(self, names: list[str]) -> bool:
        """Connect to new publishers; disconnect from those whose files have been gone for a while; tell whether any is gone."""
        present = {name for name in names if split_name(name)[0] == self.subscriber.topic.name}
        new = present - self._connected.keys()
        for name in [*present, *self._connected]:
            self._connected[name] = 0 if name in present else self._connected[name] + 1
        gone = [name for name, scans in self._connected.items() if scans > _GONE_SCANS]
        if new or gone:
            with self._access:
                for name in new:
                    self._socket.connect(f"ipc://{self._directory / name}")
                for name in gone:
                    self._socket.disconnect(f"ipc://{self._directory / name}")
                    del self._connected[name]
                self._receive([(self._socket.fileno(), 0)])   # other uses of a socket may swallow what its descriptor had to tell
            self._wake_consumer()
        return any(self._connected.values())

    def close(self) -> None:
        """Close the sockets when no consumer waits at them any more; the gate is open."""
        with self._access:
            self._closed = True
            self._watch.remove(self.descriptor)
        self._wake_consumer()
        with self._turn:
            self._socket.close(0)
            for node in list(self._links):
                self._unlink(node)
            if self._bell is not None:
                self.subscriber.gate.bells.remove(self._bell.ring)
                self._bell.close()
            self._own.close()

    def _wake_consumer(self) -> None:
        if self._waiting and self._bell is not None:
            self._bell.ring()

    def _receive(self, ready: list[tuple[int, int]]) -> None:
        """Take in all that has come. Where only the newest counts, nobody is woken before the end of a burst."""
        with self.subscriber.gate.lock if self.subscriber.depth == 1 else contextlib.nullcontext():
            while ready and not self._closed:
                for descriptor, _ in ready:
                    if (node := self._linked.get(descriptor)) is not None:
                        self._hear(node, self._links[node])
                    elif self._bell is not None and descriptor == self._bell.fileno():
                        self._bell.hush()
                    else:
                        self._drain()
                ready = self._own.wait()

    def _drain(self) -> None:
        while (frames := receive(self._socket)) is not None:
            self._take_in(memoryview(frames[0])[len(self._prefix) :], frames[1:])

    def _take_in(self, envelope: Part, buffers: Sequence[Part]) -> None:
        subscriber = self.subscriber
        try:
            try:
                if len(buffers) >= MAX_PARTS:
                    raise WireError(f"message: expected at most {MAX_PARTS} frames")
                head = Envelope.unpack(envelope)
                terms = Terms.unpack(head.key) if head.flags & (BEAT | FAREWELL) else None
                ref, link = head.ref, self._links.get(head.node)
                ring = link.ring if link is not None else None
                place = ring.find(ref) if ring is not None and ref is not None and ring.id == ref.ring else None
            except WireError:
                subscriber.refuse()
                raise
            if terms is not None:
                subscriber.catch_up(head)
                if head.flags & FAREWELL:
                    subscriber.part(head)
                else:
                    subscriber.hear(head, terms)
            elif ref is None or place is not None:
                subscriber.deliver(head, buffers, place)
            else:
                self._parked.append(head)
                self._ask(head.node)
        except WireError as error:
            _log.warning("topic %s: dropped a message: %s", subscriber.topic.name, error)

    def _ask(self, node: str) -> None:
        """Connect to the ring of a publisher, unless that is under way; a ring of before is of no use any more."""
        if node in self._links:
            if self._links[node].ring is None:
                return
            self._unlink(node)
        try:
            check_name("node", node)
            link = RingLink(self._directory / f"{self.subscriber.topic.name.replace('/', '.')}~{node}")
        except (BusError, OSError) as error:
            raise WireError(f"no shared memory of {node!r}: {error}") from error
        self._links[node], self._linked[link.fileno()] = link, node
        self._own.add(link.fileno())

    def _hear(self, node: str, link: RingLink) -> None:
        """A publisher says something: first its ring, for which messages may have waited, then what is in it."""
        if link.ring is None:
            self._open(node, link)
        elif packet := link.receive():
            self._take_in(packet, ())
        elif packet is not None:
            self._unlink(node)

    def _open(self, node: str, link: RingLink) -> None:
        try:
            if (ring := link.open()) is None:
                return
            waiting = [head for head in self._parked if head.node == node]
            others = [head for head in self._parked if head.node != node]
            self._parked.clear()
            self._parked.extend(others)
            for head in waiting:
                if head.ref is not None and head.ref.ring == ring.id:
                    self.subscriber.deliver(head, (), ring.find(head.ref))
        except WireError as error:
            if link.ring is None:
                self._unlink(node)
            _log.warning("topic %s: no picture from the memory of %s: %s", self.subscriber.topic.name, node, error)

    def _unlink(self, node: str) -> None:
        link = self._links.pop(node)
        del self._linked[link.fileno()]
        self._own.remove(link.fileno())
        link.close()
