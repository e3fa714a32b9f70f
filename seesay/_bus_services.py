"""The thread that owns the sockets of a bus's services: ROUTER for a server, DEALER for a client. It starts with the first of them.

A server binds `directory/<service with dots>.srv` and holds a lock beside it, in which its node's name stands; so there is one server of
a name, and clients need no discovery: they connect to the path, and ZeroMQ keeps trying until the server is there (again).
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket as sockets
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from seesay.calls import FOREVER_NS, MAX_MESSAGE_BYTES, Client
from seesay.codec import MAX_PARTS, Part
from seesay.errors import BusError
from seesay.serving import Server, end_all
from seesay.session import check_path, lock_socket

_log = logging.getLogger(__name__)

_SUFFIX = ".srv"
_LINGER_MS = 700
_BURST = 64
_QUEUE = 1000
_MAX_WAIT_NS = 3600 * 10**9


def list_services(directory: Path) -> list[tuple[str, str]]:
    """Return (service, node) of every server in the directory, also of one that was killed and has not come back."""
    found = []
    for path in directory.glob(f"*{_SUFFIX}.lock"):
        with contextlib.suppress(OSError):
            found.append((path.name.removesuffix(f"{_SUFFIX}.lock").replace(".", "/"), path.read_text(encoding="utf-8")))
    return sorted(found)


@dataclass(slots=True, eq=False)
class _Bound:
    """A server's socket, its files, and the answers that wait to be sent."""

    server: Server[Any, Any]
    path: Path
    lock_file: int
    answers: deque[tuple[bytes, list[Part]]]


class ServiceThread:
    """Others hand it work and wake it through a socket pair."""

    def __init__(self, directory: Path, node: str) -> None:
        self._directory = directory
        self._node = node
        self._servers: dict[zmq.Socket[bytes], _Bound] = {}
        self._clients: dict[zmq.Socket[bytes], Client[Any, Any]] = {}
        self._work: deque[tuple[Callable[[], None], Future[None]]] = deque()
        self._stopping = self._interrupted = False
        self._wake_out, self._wake_in = sockets.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._poller = zmq.Poller()
        self._poller.register(self._wake_out, zmq.POLLIN)
        self._thread = threading.Thread(target=self._main, name=f"bus-services-{node}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Let the thread look for work. Raises BusError once it has ended."""
        try:
            self._wake_in.send(b"!")
        except BlockingIOError:
            return
        except OSError as error:
            raise self._closed() from error

    def open_server(self, make: Callable[[Callable[[Hashable, list[Part]], None]], Server[Any, Any]]) -> Server[Any, Any]:
        """Bind the socket of a server that `make` makes of the function for its answers. Raises BusError if the name is taken."""
        answers: deque[tuple[Any, list[Part]]] = deque()

        def reply(peer: Hashable, parts: list[Part]) -> None:
            answers.append((peer, parts))
            with contextlib.suppress(BusError):
                self.wake()

        server = make(reply)
        self._run(lambda: self._bind(server, answers))
        return server

    def open_client(self, client: Client[Any, Any]) -> None:
        """Connect a client to where its server is or will be."""
        self._run(lambda: self._connect(client))
        if self._interrupted:
            self.interrupt()

    def interrupt(self) -> None:
        """End all calls of the clients, and refuse new ones."""
        self._interrupted = True
        for client in list(self._clients.values()):
            client.end(f"service {client.service.name}: the bus of node {self._node} is interrupted")

    def stop(self) -> None:
        """End all calls, let handlers end and send their answers, then close everything; returns when that is done."""
        end_all([bound.server for bound in list(self._servers.values())])
        self._stopping = True
        with contextlib.suppress(BusError):
            self.wake()
        self._thread.join(timeout=5)
        self._wake_in.close()

    def _run(self, work: Callable[[], None]) -> None:
        done: Future[None] = Future()
        self._work.append((work, done))
        self.wake()
        done.result(timeout=10)

    def _bind(self, server: Server[Any, Any], answers: deque[tuple[Any, list[Part]]]) -> None:
        path = self._path(server.service.name)
        check_path(path)
        try:
            lock_file = lock_socket(path)
        except BusError as error:
            owner = dict(list_services(self._directory)).get(server.service.name, "another node")
            taken = f"service {server.service.name}: {owner!r} serves it already; stop that node or use another namespace"
            raise BusError(taken) from error
        os.truncate(lock_file, 0)
        os.write(lock_file, self._node.encode())
        socket = self._open(zmq.ROUTER)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.bind(f"ipc://{path}")
        self._servers[socket] = _Bound(server, path, lock_file, answers)

    def _connect(self, client: Client[Any, Any]) -> None:
        path = self._path(client.service.name)
        check_path(path)
        socket = self._open(zmq.DEALER)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.connect(f"ipc://{path}")
        self._clients[socket] = client

    def _open(self, kind: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        options = {
            zmq.LINGER: _LINGER_MS, zmq.SNDHWM: _QUEUE, zmq.RCVHWM: _QUEUE, zmq.MAXMSGSIZE: MAX_MESSAGE_BYTES,
            zmq.RECONNECT_IVL: 50, zmq.RECONNECT_IVL_MAX: 200, zmq.HANDSHAKE_IVL: 3000,
        }  # fmt: skip
        for option, value in options.items():
            socket.setsockopt(option, value)
        self._poller.register(socket, zmq.POLLIN)
        return socket

    def _path(self, service: str) -> Path:
        return self._directory / f"{service.replace('/', '.')}{_SUFFIX}"

    def _main(self) -> None:
        due_ns = 0
        try:
            while not self._stopping:
                wait_ns = min(max(0, due_ns - time.monotonic_ns()), _MAX_WAIT_NS)
                ready = dict(self._poller.poll(-(-wait_ns // 1_000_000)))
                if self._wake_out.fileno() in ready:
                    self._wake_out.recv(65536)
                    self._do_work()
                due_ns = FOREVER_NS
                for socket, bound in self._servers.items():
                    if ready.get(socket, 0) & zmq.POLLIN:
                        for peer, *frames in _received(socket):
                            bound.server.receive(peer, frames)
                    bound.server.tick(time.monotonic_ns())
                    self._answer(socket, bound)
                    due_ns = min(due_ns, bound.server.due_ns)
                for socket, client in self._clients.items():
                    if ready.get(socket, 0) & zmq.POLLIN:
                        for frames in _received(socket):
                            client.receive(frames)
                    client.tick(time.monotonic_ns())
                    self._flush(socket, client)
                    due_ns = min(due_ns, client.due_ns)
        except Exception:
            _log.exception("the services of node %s failed", self._node)
        finally:
            self._close()

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

    def _answer(self, socket: zmq.Socket[bytes], bound: _Bound) -> None:
        """Send what is answered. A caller that is gone loses its answer; one that does not take its answers loses them too."""
        while bound.answers:
            peer, parts = bound.answers.popleft()
            try:
                socket.send_multipart([peer, *parts], zmq.NOBLOCK)
            except zmq.Again:
                continue
            except zmq.ZMQError as error:
                if error.errno != zmq.EHOSTUNREACH:
                    raise
                bound.server.lost(peer)

    def _flush(self, socket: zmq.Socket[bytes], client: Client[Any, Any]) -> None:
        """Send what is asked; what cannot go, because the server is not there or behind, waits for POLLOUT."""
        sent = client.flush(lambda parts: _send(socket, parts))
        self._poller.modify(socket, zmq.POLLIN if sent else zmq.POLLIN | zmq.POLLOUT)

    def _close(self) -> None:
        self._stopping = True
        for client in self._clients.values():
            client.end(f"service {client.service.name}: the bus of node {self._node} is closed")
        for socket, bound in self._servers.items():
            self._answer(socket, bound)
            socket.close()
        for socket in self._clients:
            socket.close(0)
        self._context.term()
        for bound in self._servers.values():
            bound.path.unlink(missing_ok=True)
            bound.path.with_name(bound.path.name + ".lock").unlink(missing_ok=True)
            os.close(bound.lock_file)
        self._wake_out.close()
        while self._work:
            self._work.popleft()[1].set_exception(self._closed())

    def _closed(self) -> BusError:
        return BusError(f"the bus of node {self._node} is closed")


def _send(socket: zmq.Socket[bytes], parts: list[Part]) -> bool:
    try:
        socket.send_multipart(parts, zmq.NOBLOCK)
    except zmq.Again:
        return False
    return True


def _received(socket: zmq.Socket[bytes]) -> Iterator[list[bytes]]:
    """Yield what has come, at most 64 messages at a time so that no socket starves the others."""
    for _ in range(_BURST):
        try:
            frames = socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        if len(frames) <= MAX_PARTS + 2:
            yield frames
