"""A subscriber's socket, and the shared memory of its publishers."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from pathlib import Path
from typing import Any

import zmq

from seesay._bus_data import Socket, configure, prefix_of, receive
from seesay._bus_fds import RingRequest
from seesay._bus_watch import Bell, Watch
from seesay._ring import AVAILABLE, RingReader
from seesay._subscriber import Subscriber
from seesay._terms import Terms
from seesay.codec import BEAT, FAREWELL, MAX_PARTS, Envelope, Part
from seesay.errors import BusError, WireError
from seesay.session import split_name
from seesay.topics import check_name

_log = logging.getLogger(__name__)

_GONE_SCANS = 20


class Inlet:
    """A subscribed socket.

    The bus's thread receives from it, except while a consumer waits for a message: then the consumer receives itself, which saves the
    time of waking one thread from another. `_turn` is held by the one consumer that does, `_access` around any use of the socket.
    Messages whose ring is not mapped yet wait in `_parked`, so that nothing blocks.
    """

    def __init__(self, subscriber: Subscriber[Any], directory: Path, context: zmq.Context[Socket], watch: Watch) -> None:
        self.subscriber = subscriber
        self.requests: dict[int, str] = {}
        self._socket: Socket = context.socket(zmq.SUB)
        self._directory = directory
        self._watch = watch
        self._turn, self._access = threading.Lock(), threading.Lock()
        self._bell: Bell | None = None
        self._waiting = self._closed = False
        self._connected: dict[str, int] = {}
        self._rings: dict[str, RingReader] = {}
        self._asked: dict[str, RingRequest] = {}
        self._parked: deque[Envelope] = deque(maxlen=max(2, subscriber.topic.depth))
        self._prefix = prefix_of(subscriber.topic)
        configure(self._socket, subscriber.topic, AVAILABLE and not subscriber.topic.latched)
        self._socket.setsockopt(zmq.SUBSCRIBE, self._prefix + b"\x01" + Terms.of(subscriber.node, subscriber.topic).pack().encode())
        self._socket.setsockopt(zmq.SUBSCRIBE, self._prefix)
        self.descriptor = self._socket.fileno()
        watch.add(self.descriptor)

    def wait(self, seconds: float | None) -> bool:
        """As `Waiter.wait`."""
        if not Watch.shared or not self._turn.acquire(blocking=False):
            return False
        try:
            self._waiting = True
            with self._access:
                if self._closed:
                    return False
                self._watch.pause(self.descriptor)
                if self._bell is None:
                    self._bell = Bell(self.descriptor)
                    self.subscriber.gate.bells.append(self._bell.ring)
                self._receive()
            if not self.subscriber.unread and not self.subscriber.gate.open:
                self._bell.wait(seconds)
                with self._access:
                    self._receive()
        finally:
            self._waiting = False
            with self._access:
                if not self._closed:
                    self._watch.resume(self.descriptor)
            self._turn.release()
        return True

    def receive(self) -> None:
        """In the bus's thread: take in what has come."""
        with self._access:
            self._receive()
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
                    self._rings.pop(split_name(name)[1], None)
            self.receive()   # other uses of a socket may swallow what its descriptor had to tell
        return any(self._connected.values())

    def map_ring(self, descriptor: int) -> None:
        """A publisher has answered the request for its ring: deliver what waited for it."""
        with self._access:
            node = self.requests.pop(descriptor)
            request = self._asked.pop(node)
            self._watch.remove(descriptor)
            waiting = [head for head in self._parked if head.node == node]
            others = [head for head in self._parked if head.node != node]
            self._parked.clear()
            self._parked.extend(others)
            try:
                ring = self._rings[node] = request.finish()
                for head in waiting:
                    if head.ref is not None and head.ref.ring == ring.id:
                        self.subscriber.deliver(head, (), ring.find(head.ref))
            except WireError as error:
                _log.warning("topic %s: no picture from the memory of %s: %s", self.subscriber.topic.name, node, error)
        self._wake_consumer()

    def close(self) -> None:
        """Close the socket when no consumer waits at it any more; the gate is open."""
        with self._access:
            self._closed = True
            self._watch.remove(self.descriptor)
        self._wake_consumer()
        with self._turn:
            self._socket.close(0)
            if self._bell is not None:
                self.subscriber.gate.bells.remove(self._bell.ring)
                self._bell.close()
        for request in self._asked.values():
            request.close()

    def _wake_consumer(self) -> None:
        if self._waiting and self._bell is not None:
            self._bell.ring()

    def _receive(self) -> None:
        """Take in all that has come. Where only the newest counts, nobody is woken before the end of a burst."""
        if self._closed:
            return
        with self.subscriber.gate.condition if self.subscriber.depth == 1 else contextlib.nullcontext():
            while (frames := receive(self._socket)) is not None:
                try:
                    self._take_in(frames)
                except WireError as error:
                    _log.warning("topic %s: dropped a message: %s", self.subscriber.topic.name, error)

    def _take_in(self, frames: list[Part]) -> None:
        try:
            if len(frames) > MAX_PARTS:
                raise WireError(f"message: expected at most {MAX_PARTS} frames")
            head = Envelope.unpack(memoryview(frames[0])[len(self._prefix) :])
            terms = Terms.unpack(head.key) if head.flags & (BEAT | FAREWELL) else None
            ref, ring = head.ref, self._rings.get(head.node)
            place = ring.find(ref) if ring is not None and ref is not None and ring.id == ref.ring else None
        except WireError:
            self.subscriber.refuse()
            raise
        if terms is not None:
            if head.flags & FAREWELL:
                self.subscriber.part(head)
            else:
                self.subscriber.hear(head, terms)
        elif ref is None or place is not None:
            self.subscriber.deliver(head, frames[1:], place)
        else:
            self._parked.append(head)
            self._ask(head.node)

    def _ask(self, node: str) -> None:
        if node in self._asked:
            return
        try:
            check_name("node", node)
            request = RingRequest(self._directory / f"{self.subscriber.topic.name.replace('/', '.')}~{node}")
        except (BusError, OSError) as error:
            raise WireError(f"no shared memory of {node!r}: {error}") from error
        self._asked[node] = request
        self.requests[request.fileno()] = node
        self._watch.add(request.fileno())
