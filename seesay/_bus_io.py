"""The thread that owns the ZeroMQ sockets of a bus: binds, connects, sends, receives, repeats latched values."""

from __future__ import annotations

import contextlib
import logging
import os
import socket as sockets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import zmq

from seesay.codec import MAX_PARTS, Part
from seesay.errors import BusError, WireError
from seesay.pubsub import Envelope, Publisher, Subscriber
from seesay.session import check_path, list_sockets, lock_socket, split_name
from seesay.topics import Topic

_log = logging.getLogger(__name__)

MAX_PART_BYTES = 64 << 20
_SCAN_S = 0.1
_GONE_SCANS = 20
_LINGER_MS = 300
_BURST = 64
JOIN_S = 2.0


class Outlet:
    """A bound socket: what waits to be sent (`queue` drops its oldest when the thread is behind), and what newcomers are told.

    Subscribers need a moment to find a new publisher. What a keep-all publisher says in its first `JOIN_S` seconds is kept in `early`.
    """

    publisher: Publisher[Any]

    def __init__(self, topic: Topic[Any]) -> None:
        self.topic = topic
        self.queue: deque[tuple[Envelope, Sequence[Part]]] = deque(maxlen=max(2, topic.depth))
        self.latched: dict[str, tuple[Envelope, Sequence[Part]]] = {}
        self.early: list[tuple[Envelope, Sequence[Part]]] = []
        self.opened = time.monotonic()
        self.path = Path()
        self.lock_file = -1


@dataclass(slots=True)
class _Inlet:
    """A subscribed socket, and for how many scans each of its endpoints has been gone."""

    subscriber: Subscriber[Any]
    connected: dict[str, int] = field(default_factory=dict)


class SocketThread:
    """The thread that owns the sockets. Others hand it work and wake it through a pipe."""

    def __init__(self, directory: Path, node: str, at_end: Callable[[], None]) -> None:
        self._at_end = at_end
        self._directory = directory
        self._node = node
        self._outlets: dict[zmq.Socket[bytes], Outlet] = {}
        self._inlets: dict[zmq.Socket[bytes], _Inlet] = {}
        self._work: deque[tuple[Callable[[], None], Future[None]]] = deque()
        self._stopping = False
        self._wake_out, self._wake_in = sockets.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._poller = zmq.Poller()
        self._poller.register(self._wake_out, zmq.POLLIN)
        self._stop_lock = threading.Lock()
        self._joined = False
        self._thread = threading.Thread(target=self._main, name=f"bus-{node}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Let the thread look for work. Raises BusError once it has ended."""
        try:
            self._wake_in.send(b"!")
        except BlockingIOError:
            return
        except OSError as error:
            raise self._closed() from error

    def run(self, work: Callable[[], None]) -> None:
        """Run `work` in the thread and return when it is done; its exception is raised here."""
        done: Future[None] = Future()
        self._work.append((work, done))
        self.wake()
        done.result(timeout=10)

    def stop(self) -> None:
        """Send what is queued, then close everything; returns when that is done."""
        with self._stop_lock:
            if self._joined:
                return
            self._joined = self._stopping = True
            with contextlib.suppress(BusError):
                self.wake()
            self._thread.join(timeout=5)
            self._wake_in.close()

    def open_outlet(self, outlet: Outlet) -> None:
        """In the thread: bind the socket of a publisher."""
        path = self._directory / f"{outlet.topic.name.replace('/', '.')}~{self._node}"
        check_path(path)
        outlet.lock_file = lock_socket(path)
        outlet.path = path
        socket = self._context.socket(zmq.XPUB)
        try:
            _configure(socket, outlet.topic)
            socket.setsockopt(zmq.XPUB_MANUAL, 1)
            socket.bind(f"ipc://{path}")
        except zmq.ZMQError:
            socket.close()
            os.close(outlet.lock_file)
            raise
        self._outlets[socket] = outlet
        self._poller.register(socket, zmq.POLLIN)

    def open_inlet(self, subscriber: Subscriber[Any]) -> None:
        """In the thread: open the socket of a subscriber and connect it to the publishers that are there."""
        socket = self._context.socket(zmq.SUB)
        _configure(socket, subscriber.topic)
        socket.setsockopt(zmq.SUBSCRIBE, subscriber.topic.name.encode() + b"\0")
        self._inlets[socket] = _Inlet(subscriber)
        self._poller.register(socket, zmq.POLLIN)
        self._scan()

    def _main(self) -> None:
        next_scan = 0.0
        try:
            while not self._stopping:
                ready = dict(self._poller.poll(max(0, int(1000 * (next_scan - time.monotonic())) + 1)))
                if self._wake_out.fileno() in ready:
                    self._wake_out.recv(65536)
                self._do_work()
                for socket, outlet in self._outlets.items():
                    self._flush(socket, outlet)
                    if socket in ready:
                        self._answer(socket, outlet)
                for socket, inlet in self._inlets.items():
                    if socket in ready:
                        self._receive(socket, inlet)
                if time.monotonic() >= next_scan:
                    self._scan()
                    next_scan = time.monotonic() + _SCAN_S
        except Exception:
            _log.exception("the bus of node %s failed", self._node)
        finally:
            self._close()
            self._at_end()

    def _do_work(self) -> None:
        while self._work:
            work, done = self._work.popleft()
            try:
                work()
                done.set_result(None)
            except zmq.ZMQError as error:
                done.set_exception(BusError(f"node {self._node}: {error}"))
            except Exception as error:
                done.set_exception(error)

    def _flush(self, socket: zmq.Socket[bytes], outlet: Outlet) -> None:
        while outlet.queue:
            head, parts = outlet.queue.popleft()
            if outlet.topic.latched:
                outlet.latched.pop(head.key, None)
                outlet.latched[head.key] = (head, parts)
                if len(outlet.latched) > outlet.topic.depth:
                    del outlet.latched[next(iter(outlet.latched))]
            elif outlet.topic.keep == "all" and time.monotonic() - outlet.opened < JOIN_S:
                outlet.early = [*outlet.early, (head, parts)][-outlet.topic.depth :]
            _send(socket, outlet.topic, head, parts)

    def _answer(self, socket: zmq.Socket[bytes], outlet: Outlet) -> None:
        """Let subscribers come and go. A newcomer is told the latched values before anything new (others know them by their numbers)."""
        while (request := _receive_or_none(socket)) is not None:
            joined, prefix = request[:1] == b"\x01", request[1:]
            socket.setsockopt(zmq.SUBSCRIBE if joined else zmq.UNSUBSCRIBE, prefix)
            if time.monotonic() - outlet.opened > JOIN_S:
                outlet.early.clear()
            if joined:
                known = {head.sequence: (head, parts) for head, parts in [*outlet.latched.values(), *outlet.early]}
                for _, (head, parts) in sorted(known.items()):
                    _send(socket, outlet.topic, replace(head, replay=True), parts)
            outlet.publisher.count_subscriber(1 if joined else -1)

    def _receive(self, socket: zmq.Socket[bytes], inlet: _Inlet) -> None:
        for _ in range(_BURST):
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            if not 3 <= len(frames) <= MAX_PARTS + 2:
                continue
            try:
                inlet.subscriber.deliver(frames[1].bytes, [frame.buffer for frame in frames[2:]])
            except WireError as error:
                _log.warning("topic %s: dropped a message: %s", inlet.subscriber.topic.name, error)

    def _scan(self) -> None:
        """Connect to new publishers; disconnect from those whose files have been gone for a while."""
        names = list_sockets(self._directory)
        for socket, inlet in self._inlets.items():
            present = {name for name in names if split_name(name)[0] == inlet.subscriber.topic.name}
            for name in present - inlet.connected.keys():
                socket.connect(f"ipc://{self._directory / name}")
            for name in [*present, *inlet.connected]:
                inlet.connected[name] = 0 if name in present else inlet.connected[name] + 1
            for name in [name for name, gone in inlet.connected.items() if gone > _GONE_SCANS]:
                socket.disconnect(f"ipc://{self._directory / name}")
                del inlet.connected[name]

    def _close(self) -> None:
        self._stopping = True
        for socket, outlet in self._outlets.items():
            self._flush(socket, outlet)
            socket.close(_LINGER_MS)
        for socket in self._inlets:
            socket.close(0)
        self._context.term()
        for outlet in self._outlets.values():
            outlet.path.unlink(missing_ok=True)
            outlet.path.with_name(outlet.path.name + ".lock").unlink(missing_ok=True)
            os.close(outlet.lock_file)
        self._wake_out.close()
        while self._work:
            self._work.popleft()[1].set_exception(self._closed())

    def _closed(self) -> BusError:
        return BusError(f"the bus of node {self._node} is closed")


def _configure(socket: zmq.Socket[bytes], topic: Topic[Any]) -> None:
    depth = 2 if topic.keep == "latest" else max(2, topic.depth)
    options = {
        zmq.LINGER: 0, zmq.SNDHWM: depth, zmq.RCVHWM: depth, zmq.MAXMSGSIZE: MAX_PART_BYTES,
        zmq.RECONNECT_IVL: 50, zmq.RECONNECT_IVL_MAX: 200, zmq.HANDSHAKE_IVL: 3000,
    }  # fmt: skip
    for option, value in options.items():
        socket.setsockopt(option, value)


def _send(socket: zmq.Socket[bytes], topic: Topic[Any], head: Envelope, parts: Sequence[Part]) -> None:
    socket.send_multipart([topic.name.encode() + b"\0", head.pack(), *parts], zmq.NOBLOCK, copy=False)


def _receive_or_none(socket: zmq.Socket[bytes]) -> bytes | None:
    try:
        return socket.recv(zmq.NOBLOCK)
    except zmq.Again:
        return None
