"""A subscriber's socket, and the shared memory of its publishers."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from pathlib import Path
from typing import Any

import zmq

from seesay._bus_data import Socket, configure, prefix_of, receive
from seesay._bus_fds import RingRequest
from seesay._envelope import BEAT, FAREWELL, RING, Envelope, Terms
from seesay._ring import AVAILABLE, Ref, RingReader
from seesay._subscriber import Subscriber
from seesay.codec import MAX_PARTS, Part
from seesay.errors import BusError, WireError
from seesay.session import split_name
from seesay.topics import check_name

_log = logging.getLogger(__name__)

_GONE_SCANS = 20
_BURST = 64


class Inlet:
    """A subscribed socket; the bus's thread owns it. Messages whose ring is not mapped yet wait in `_parked`, so that nothing blocks."""

    def __init__(self, subscriber: Subscriber[Any], directory: Path, context: zmq.Context[Socket], poller: zmq.Poller) -> None:
        self.subscriber = subscriber
        self.socket: Socket = context.socket(zmq.SUB)
        self.requests: dict[int, str] = {}
        self._directory = directory
        self._poller = poller
        self._connected: dict[str, int] = {}
        self._rings: dict[str, RingReader] = {}
        self._asked: dict[str, RingRequest] = {}
        self._parked: deque[tuple[Envelope, Part, Ref]] = deque(maxlen=max(2, subscriber.topic.depth))
        prefix = prefix_of(subscriber.topic)
        configure(self.socket, subscriber.topic, AVAILABLE and not subscriber.topic.latched)
        self.socket.setsockopt(zmq.SUBSCRIBE, prefix + b"\x01" + Terms.of(subscriber.node, subscriber.topic).pack())
        self.socket.setsockopt(zmq.SUBSCRIBE, prefix)
        poller.register(self.socket, zmq.POLLIN)

    def scan(self, names: list[str]) -> bool:
        """Connect to new publishers; disconnect from those whose files have been gone for a while; tell whether any is gone."""
        present = {name for name in names if split_name(name)[0] == self.subscriber.topic.name}
        for name in present - self._connected.keys():
            self.socket.connect(f"ipc://{self._directory / name}")
        for name in [*present, *self._connected]:
            self._connected[name] = 0 if name in present else self._connected[name] + 1
        for name in [name for name, gone in self._connected.items() if gone > _GONE_SCANS]:
            self.socket.disconnect(f"ipc://{self._directory / name}")
            del self._connected[name]
            self._rings.pop(split_name(name)[1], None)
        return any(self._connected.values())

    def receive(self) -> None:
        """Take in what has come. Where only the newest counts, nobody is woken before the end of a burst."""
        with self.subscriber.gate.condition if self.subscriber.depth == 1 else contextlib.nullcontext():
            for _ in range(_BURST):
                frames = receive(self.socket, MAX_PARTS + 3)
                if frames is None:
                    return
                try:
                    self._take_in(frames)
                except WireError as error:
                    _log.warning("topic %s: dropped a message: %s", self.subscriber.topic.name, error)

    def map_ring(self, descriptor: int) -> None:
        """A publisher has answered the request for its ring: deliver what waited for it."""
        node = self.requests.pop(descriptor)
        request = self._asked.pop(node)
        self._poller.unregister(descriptor)
        waiting = [item for item in self._parked if item[0].node == node]
        others = [item for item in self._parked if item[0].node != node]
        self._parked.clear()
        self._parked.extend(others)
        try:
            ring = self._rings[node] = request.finish()
            for head, header, ref in waiting:
                if ref.ring == ring.id:
                    self.subscriber.deliver(head, [header], ring.find(ref))
        except WireError as error:
            _log.warning("topic %s: no picture from the memory of %s: %s", self.subscriber.topic.name, node, error)

    def close(self) -> None:
        self.socket.close(0)
        for request in self._asked.values():
            request.close()

    def _take_in(self, frames: list[Part]) -> None:
        if not 3 <= len(frames) <= MAX_PARTS + 2:
            self.subscriber.refuse()
            raise WireError(f"expected 3 to {MAX_PARTS + 2} frames, got {len(frames)}")
        try:
            head = Envelope.unpack(bytes(frames[1]))
            if head.flags & RING:
                ref = Ref.unpack(frames[3]) if len(frames) == 4 else Ref.unpack(b"")
                ring = self._rings.get(head.node)
                place = ring.find(ref) if ring is not None and ring.id == ref.ring else None
            elif head.flags & (BEAT | FAREWELL):
                terms = Terms.unpack(bytes(frames[2]))
        except WireError:
            self.subscriber.refuse()
            raise
        if head.flags & FAREWELL:
            self.subscriber.part(head)
        elif head.flags & BEAT:
            self.subscriber.hear(head, terms)
        elif not head.flags & RING:
            self.subscriber.deliver(head, frames[2:])
        elif place is not None:
            self.subscriber.deliver(head, [frames[2]], place)
        else:
            self._parked.append((head, frames[2], ref))
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
        self._poller.register(request.fileno(), zmq.POLLIN)
