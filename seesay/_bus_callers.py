"""Clients over ZeroMQ. A caller who waits talks on a socket of its own; calls that nobody waits for share one thread."""

from __future__ import annotations

import contextlib
import logging
import os
import socket as sockets
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

import zmq

from seesay._bus_socket import poll_ms, received
from seesay.calls import FOREVER_NS, Call, CallStats, Client, Hear
from seesay.codec import Part
from seesay.errors import BusError
from seesay.services import Service

Q = TypeVar("Q")
R = TypeVar("R")

Connect = Callable[[], "zmq.Socket[bytes]"]

_LOOK_MS = 100

_log = logging.getLogger(__name__)


class Line(Generic[Q, R]):
    """A socket on which one thread at a time sends a request and receives the answer itself."""

    def __init__(self, client: Client[Q, R], socket: zmq.Socket[bytes]) -> None:
        self.client = client
        self._socket = socket
        self._timeout_ms = -1

    def call(self, request: Q, timeout_s: float) -> R:
        """As `Client.call`. The caller's lock is the barrier that ZeroMQ asks for when a socket changes hands.

        While it waits it looks ten times a second whether the call was ended by another thread.
        """
        client = self.client
        call = client.begin(request, timeout_s)
        try:
            while not call.future.done():
                sent, wait_ms = client.flush(self._send), min(_LOOK_MS, poll_ms(client.due_ns))
                if sent:
                    self._receive(wait_ms)
                else:
                    self._socket.poll(wait_ms, zmq.POLLOUT)
                client.tick(time.monotonic_ns())
            return call.future.result()
        finally:
            client.forget(call)

    def close(self) -> None:
        self._socket.close(0)

    def _send(self, parts: list[Part]) -> bool:
        return send(self._socket, parts)

    def _receive(self, wait_ms: int) -> None:
        if wait_ms != self._timeout_ms:
            self._socket.setsockopt(zmq.RCVTIMEO, wait_ms)
            self._timeout_ms = wait_ms
        try:
            frames = self._socket.recv_multipart()
        except zmq.Again:
            return
        self.client.receive(frames)


class CallThread:
    """Sends and receives for the clients of a bus that have calls nobody waits for; starts with the first of them."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._new: deque[tuple[zmq.Socket[bytes], Client[Any, Any]]] = deque()
        self._clients: dict[zmq.Socket[bytes], Client[Any, Any]] = {}
        self._stopping = False
        self._thread: threading.Thread | None = None

    def adopt(self, socket: zmq.Socket[bytes], client: Client[Any, Any]) -> None:
        """Serve a client from now on; the socket is the thread's. Raises BusError once the bus is closed."""
        with self._lock:
            if self._stopping:
                raise BusError(f"the bus of node {self._node} is closed")
            self._new.append((socket, client))
            if self._thread is None:
                self._wake_out, self._wake_in = sockets.socketpair()
                self._wake_out.setblocking(False)
                self._wake_in.setblocking(False)
                self._thread = threading.Thread(target=self._main, name=f"bus-calls-{self._node}", daemon=True)
                self._thread.start()

    def wake(self) -> None:
        """Let the thread look at its clients."""
        with contextlib.suppress(OSError):   # full: it is awake; closed: it has ended, and so have its calls
            self._wake_in.send(b"!")

    def stop(self) -> None:
        with self._lock:
            self._stopping = True
        if self._thread is not None:
            self.wake()
            self._thread.join(timeout=5)
            self._wake_in.close()

    def _main(self) -> None:
        poller, due_ns = zmq.Poller(), 0
        poller.register(self._wake_out, zmq.POLLIN)
        try:
            while not self._stopping:
                ready = dict(poller.poll(poll_ms(due_ns)))
                if self._wake_out.fileno() in ready:
                    self._wake_out.recv(65536)
                while self._new:
                    socket, client = self._new.popleft()
                    self._clients[socket] = client
                due_ns = FOREVER_NS
                for socket, client in self._clients.items():
                    if ready.get(socket, 0) & zmq.POLLIN:
                        for frames in received(socket):
                            client.receive(frames)
                    client.tick(time.monotonic_ns())
                    sent = client.flush(partial(send, socket))
                    poller.register(socket, zmq.POLLIN if sent else zmq.POLLIN | zmq.POLLOUT)
                    due_ns = min(due_ns, client.due_ns)
        except Exception:
            _log.exception("the calls of node %s failed", self._node)
        finally:
            with self._lock:
                self._stopping = True
            for socket, client in (*self._clients.items(), *self._new):
                client.end(f"service {client.service.name}: the calls of node {self._node} have ended")
                socket.close(0)
            self._wake_out.close()


class SocketClient(Client[Q, R]):
    """A client whose waiting callers use a line of their own, one at a time, and whose other calls are the `CallThread`'s."""

    def __init__(self, service: Service[Q, R], node: str, connect: Connect, is_served: Callable[[], bool], thread: CallThread) -> None:
        """connect: gives a socket that is connected to the server."""
        super().__init__(service, node, self._wake_thread, is_served)
        self._pid = os.getpid()
        self._connect = connect
        self._call_thread = thread
        self._adopted = False
        self._adopting = threading.Lock()
        self._line: Line[Q, R] | None = None
        self._line_lock = threading.Lock()

    def begin(self, request: Q, timeout_s: float, hear: Hear | None = None) -> Call[R]:
        self._check_process()
        return super().begin(request, timeout_s, hear)

    def call(self, request: Q, timeout_s: float = 5.0) -> R:
        self._check_process()
        if not self._line_lock.acquire(blocking=False):
            return super().call(request, timeout_s)
        try:
            line = self._line or self._open_line()
            return line.call(request, timeout_s)
        finally:
            self._line_lock.release()

    def _open_line(self) -> Line[Q, R]:
        if self.ended:
            raise BusError(self.ended)
        line = self._line = Line(Client(self.service, self.node, lambda: None, self._is_served), self._connect())
        self._share_end(line)
        return line

    def _share_end(self, line: Line[Q, R]) -> None:
        if self.ended:
            line.client.end(self.ended)

    @property
    def stats(self) -> CallStats:
        own = super().stats
        return own if self._line is None else own + self._line.client.stats

    def end(self, sentence: str) -> None:
        super().end(sentence)
        if self._line is not None:
            self._share_end(self._line)

    def close(self) -> None:
        """After `end`: wait for the caller on the line to leave it, and close it."""
        with self._line_lock:
            if self._line is not None:
                self._line.close()

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise BusError("a client cannot be used in a forked process: start processes with spawn, or open a new Bus in the child")

    def _wake_thread(self) -> None:
        with self._adopting:
            if not self._adopted:
                self._call_thread.adopt(self._connect(), self)
                self._adopted = True
        self._call_thread.wake()


def send(socket: zmq.Socket[bytes], parts: list[Part]) -> bool:
    """Send without waiting; tell whether it went."""
    try:
        socket.send_multipart(parts, zmq.NOBLOCK)
    except zmq.Again:
        return False
    return True
