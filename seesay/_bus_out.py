"""A publisher's socket and shared memory."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import zmq

from seesay import _ring
from seesay._bus_data import RING_BYTES, Socket, configure, prefix_of, send
from seesay._bus_fds import SUFFIX, RingServer
from seesay._publisher import Publisher
from seesay._ring import RingWriter, Slot
from seesay._terms import Terms
from seesay.codec import BEAT, FAREWELL, NOTHING, Envelope, Part
from seesay.errors import BusError, WireError
from seesay.session import check_path, lock_socket
from seesay.topics import Topic

_log = logging.getLogger(__name__)

JOIN_S = 2.0
BEAT_S = 0.7
_LINGER_MS = 300
_SLOTS = {"latest": 4, "all": 8}


_Sent = tuple[Envelope, Sequence[Part]]


class Outlet:
    """A publisher's end. Any thread may send: `_lock` is the barrier that ZeroMQ asks for when a socket changes threads.

    So a message goes out without waking another thread. `answer` lets subscribers come and go and tells newcomers the latched values,
    and what a keep-all publisher said in its first `JOIN_S` seconds, before its subscribers can have found it.
    """

    publisher: Publisher[Any]

    def __init__(
        self, topic: Topic[Any], directory: Path, node: str, context: zmq.Context[Socket], watch: Callable[[RingServer], None]
    ) -> None:
        """Bind. `watch` lets the bus's thread serve readers of the ring. Raises BusError if the name is taken or too long for a path."""
        self.topic = topic
        self._watch = watch
        self._path = directory / f"{topic.name.replace('/', '.')}~{node}"
        self._prefix = prefix_of(topic)
        self._lock = threading.Lock()
        self._latched: dict[str, _Sent] = {}
        self._early: list[_Sent] = []
        self._opened = self._spoke = time.monotonic()
        self._ring: RingWriter | None = None
        self._may_ring = _ring.AVAILABLE and not topic.latched
        self.server: RingServer | None = None
        self._closed = False
        self._sent = 0
        check_path(self._path.with_name(f"{self._path.name}.ring"))
        self._lock_file = lock_socket(self._path)
        self.socket: Socket = context.socket(zmq.XPUB)
        try:
            configure(self.socket, topic, self._may_ring)
            self.socket.setsockopt(zmq.XPUB_MANUAL, 1)
            self.socket.bind(f"ipc://{self._path}")
        except zmq.ZMQError as error:
            self.socket.close()
            os.close(self._lock_file)
            raise BusError(f"topic {topic.name}: {error}") from error

    def reserve(self, size: int) -> Slot | None:
        """As `Transmitter.reserve`."""
        with self._lock:
            return self._reserve(size) if self._may_ring else None

    def transmit(self, head: Envelope, parts: Sequence[Part], slot: Slot | None) -> None:
        """As `Transmitter.transmit`. Raises BusError once closed."""
        with self._lock:
            if self._closed:
                raise BusError(f"the bus of node {head.node} is closed")
            self._sent = head.sequence
            sizes = [len(part) for part in parts[1:]]
            early = self.topic.keep == "all" and time.monotonic() - self._opened < JOIN_S
            if slot is None and self._may_ring and sum(sizes) >= RING_BYTES and (self.publisher.subscribers or early):
                slot = self._reserve(_ring.offsets(sizes)[1])
                ref = slot.fill(parts[1:]) if slot is not None else None
            else:
                ref = slot.commit(sizes) if slot is not None else None
            head, buffers = head.carrying(parts[0], ref), parts[1:] if ref is None else ()
            if self.topic.latched:
                self._latched.pop(head.key, None)
                self._latched[head.key] = (head, buffers)
                if len(self._latched) > self.topic.depth:
                    del self._latched[next(iter(self._latched))]
            elif early:
                self._early = [*self._early, (head, buffers)][-self.topic.depth :]
            if self.publisher.subscribers and (ref is None or not self._tell_readers(head)):
                self._send(head, buffers)
                if int(self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                    self._answer()

    def tell_life(self) -> None:
        """As `Transmitter.tell_life`."""
        with self._lock:
            if not self._closed:
                self._say(BEAT if self.publisher.lives else FAREWELL)

    def answer(self) -> None:
        """Let subscribers come and go."""
        with self._lock:
            self._answer()

    def beat(self) -> None:
        """Give a sign of life unless there was one."""
        with self._lock:
            if time.monotonic() - self._spoke > BEAT_S and self.publisher.subscribers:
                self._say(BEAT if self.publisher.lives else FAREWELL)
                self._answer()
            if self.server is not None:
                self.server.settle()

    def close(self) -> None:
        """Say farewell, close the socket and remove its files."""
        with self._lock:
            self._closed = True
            self._answer()
            self._say(FAREWELL)
            self.socket.close(_LINGER_MS)
            if self.server is not None:
                self.server.close()
            if self._ring is not None:
                self._ring.close()

    def unlink(self) -> None:
        """Once the context has ended: free the name, of a ring's socket too that one who was killed has left under it."""
        for suffix in ("", SUFFIX, ".lock"):
            self._path.with_name(f"{self._path.name}{suffix}").unlink(missing_ok=True)
        os.close(self._lock_file)

    def _reserve(self, size: int) -> Slot | None:
        """A slot of the ring, which is made when it is first needed, and made anew when it is too small."""
        if self._closed:
            raise BusError(f"topic {self.topic.name}: its bus is closed")
        if self._ring is None or self._ring.slot_bytes < size:
            try:
                ring = RingWriter(_SLOTS[self.topic.keep], size)
                if self.server is None:
                    self.server = RingServer(self._path, ring)
                    self._watch(self.server)
                else:
                    self.server.replace(ring)
            except (BusError, OSError) as error:
                _log.warning("topic %s: pictures go through sockets, which takes longer: %s", self.topic.name, error)
                self._may_ring = False
                return None
            if self._ring is not None:
                self._ring.close()
            self._ring = ring
        slot = self._ring.reserve()
        if slot is None:
            raise BusError(f"topic {self.topic.name}: expected at most {self._ring.slots} loans at a time")
        return slot

    def _tell_readers(self, head: Envelope) -> bool:
        """Tell of what is in the ring those who have it; tell whether they are all."""
        self._spoke = time.monotonic()
        return self.server is not None and self.server.send(head.pack()) >= self.publisher.subscribers

    def _answer(self) -> None:
        """Handle all requests that are there; afterwards the socket's descriptor tells of the next."""
        while True:
            try:
                request = self.socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            joined, wanted = request[:1] == b"\x01", request[1:]
            if wanted.startswith(self._prefix + b"\x01"):
                if joined:
                    self._meet(wanted[len(self._prefix) + 1 :])
                continue
            self.socket.setsockopt(zmq.SUBSCRIBE if joined else zmq.UNSUBSCRIBE, wanted)
            if joined:
                self._say(BEAT)
                self._repeat()
                if not self.publisher.lives:
                    self._say(FAREWELL)
            self.publisher.count_subscriber(1 if joined else -1)

    def _repeat(self) -> None:
        """Tell a newcomer what it missed, before anything new; others know it by its numbers."""
        if time.monotonic() - self._opened > JOIN_S:
            self._early.clear()
        known = {head.sequence: (head, buffers) for head, buffers in [*self._latched.values(), *self._early]}
        for _, (head, buffers) in sorted(known.items()):
            if head.ref is None or (self._ring is not None and self._ring.holds(head.ref)):
                self._send(head.repeated(), buffers)

    def _meet(self, words: bytes) -> None:
        try:
            self.publisher.meet(Terms.unpack(words.decode(errors="replace")))
        except WireError as error:
            _log.warning("topic %s: a subscriber sent no terms: %s", self.topic.name, error)

    def _say(self, flags: int) -> None:
        head = self.publisher.envelope(Terms.of(self.publisher.node, self.topic).pack(), flags)
        head.sequence = self._sent   # not of a message that waits for the lock
        self._send(head.carrying(NOTHING), ())

    def _send(self, head: Envelope, buffers: Sequence[Part]) -> None:
        send(self.socket, self._prefix + head.pack(), buffers)
        self._spoke = time.monotonic()
