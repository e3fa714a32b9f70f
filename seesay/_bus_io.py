"""The thread of a bus: receives, lets subscribers come and go, gives signs of life, and finds publishers."""

from __future__ import annotations

import contextlib
import logging
import os
import socket as sockets
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import zmq

from seesay._bus_data import Socket
from seesay._bus_fds import RingServer
from seesay._bus_in import Inlet
from seesay._bus_out import Outlet
from seesay._bus_watch import Watch
from seesay._publisher import Publisher
from seesay._subscriber import Subscriber
from seesay.errors import BusError
from seesay.session import list_sockets, remove_dead
from seesay.topics import Topic

M = TypeVar("M")

_log = logging.getLogger(__name__)

_SCAN_S, _CALM_SCAN_S = 0.1, 0.25
_SETTLED_SCANS = 10
_SWEEP_S = 3.0


class SocketThread:
    """The thread and its sockets. Others hand it work and wake it through a pair of sockets."""

    def __init__(self, directory: Path, node: str, at_end: Callable[[], None]) -> None:
        self._at_end = at_end
        self._directory = directory
        self._node = node
        self._outlets: dict[int, Outlet] = {}
        self._servers: dict[int, RingServer] = {}
        self._inlets: dict[int, Inlet] = {}
        self._work: deque[tuple[Callable[[], None], Future[None]]] = deque()
        self._stopping = False
        self._changed_ns, self._settled = 0, 0
        self._sweep_at = time.monotonic() + _SWEEP_S
        self._wake_out, self._wake_in = sockets.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)
        self._context: zmq.Context[Socket] = zmq.Context()
        self._watch = Watch()
        self._watch.add(self._wake_out.fileno())
        self._stop_lock = threading.Lock()
        self._joined = False
        self._thread = threading.Thread(target=self._main, name=f"bus-{node}", daemon=True)
        self._thread.start()

    def open_publisher(self, topic: Topic[M], condition: threading.Condition) -> Publisher[M]:
        """Bind a publisher's socket. Raises BusError."""
        if self._stopping:
            raise self._closed()
        outlet = Outlet(topic, self._directory, self._node, self._context, self._watch_ring)
        publisher = Publisher(topic, self._node, condition, outlet)
        outlet.publisher = publisher
        try:
            self._run(lambda: self._register(outlet))
        except BusError:
            outlet.close()
            outlet.unlink()
            raise
        return publisher

    def open_inlet(self, subscriber: Subscriber[Any]) -> None:
        """Subscribe, and connect to the publishers that are there."""

        def work() -> None:
            inlet = Inlet(subscriber, self._directory, self._context, self._watch)
            self._inlets[inlet.descriptor] = inlet
            inlet.scan(list_sockets(self._directory))
            subscriber.waiter = inlet

        self._run(work)

    def stop(self) -> None:
        """Send what is queued, then close everything; returns when that is done."""
        with self._stop_lock:
            if self._joined:
                return
            self._joined = self._stopping = True
            with contextlib.suppress(BusError):
                self._wake()
            self._thread.join(timeout=5)
            self._wake_in.close()

    def _run(self, work: Callable[[], None]) -> None:
        """Run `work` in the thread and return when it is done; its exception is raised here."""
        self._post(work).result(timeout=10)

    def _post(self, work: Callable[[], None]) -> Future[None]:
        done: Future[None] = Future()
        self._work.append((work, done))
        self._wake()
        return done

    def _wake(self) -> None:
        try:
            self._wake_in.send(b"!")
        except BlockingIOError:
            return
        except OSError as error:
            raise self._closed() from error

    def _watch_ring(self, server: RingServer) -> None:
        self._post(lambda: self._register_server(server))

    def _register_server(self, server: RingServer) -> None:
        self._servers[server.fileno()] = server
        self._watch.add(server.fileno())

    def _register(self, outlet: Outlet) -> None:
        descriptor = outlet.socket.fileno()
        self._outlets[descriptor] = outlet
        self._watch.add(descriptor)
        outlet.answer()

    def _main(self) -> None:
        next_scan = 0.0
        try:
            while not self._stopping:
                for descriptor, _ in self._watch.wait(next_scan - time.monotonic()):
                    self._handle(descriptor)
                self._do_work()
                if time.monotonic() >= next_scan:
                    self._look_around()
                    next_scan = time.monotonic() + (_SCAN_S if self._settled < _SETTLED_SCANS else _CALM_SCAN_S)
        except Exception:
            _log.exception("the bus of node %s failed", self._node)
        finally:
            self._close()

    def _handle(self, descriptor: int) -> None:
        if descriptor in self._inlets:
            self._inlets[descriptor].receive()
        elif descriptor in self._outlets:
            self._outlets[descriptor].answer()
        elif descriptor in self._servers:
            self._servers[descriptor].answer()
        elif descriptor == self._wake_out.fileno():
            self._wake_out.recv(65536)

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

    def _look_around(self) -> None:
        """Ten times a second: signs of life, news of publishers, and the directory if it has changed; now and then what the dead left."""
        if time.monotonic() > self._sweep_at:
            self._sweep_at = time.monotonic() + _SWEEP_S
            remove_dead(self._directory)
        for outlet in self._outlets.values():
            outlet.beat()
        for inlet in self._inlets.values():
            inlet.subscriber.tell_news()
        try:
            changed_ns = os.stat(self._directory).st_mtime_ns
        except FileNotFoundError:
            changed_ns = -1
        if changed_ns != self._changed_ns:
            self._changed_ns, self._settled = changed_ns, 0
        if self._settled < _SETTLED_SCANS:   # the stamp is coarse: a change may follow at once without another stamp
            self._settled += 1
            names = list_sockets(self._directory)
            if any([inlet.scan(names) for inlet in self._inlets.values()]):
                self._settled = 0

    def _close(self) -> None:
        self._stopping = True
        for outlet in self._outlets.values():
            outlet.close()
        self._at_end()
        for inlet in self._inlets.values():
            inlet.close()
        self._context.term()
        for outlet in self._outlets.values():
            outlet.unlink()
        self._watch.close()
        self._wake_out.close()
        while self._work:
            self._work.popleft()[1].set_exception(self._closed())

    def _closed(self) -> BusError:
        return BusError(f"the bus of node {self._node} is closed")
