"""Services inside one process: what `seesay._bus_services` does with sockets, done by calling the other side."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from seesay.calls import FOREVER_NS, Client
from seesay.codec import Part
from seesay.errors import BusError
from seesay.services import Action, Service
from seesay.serving import Server, end_all
from seesay.topics import check_name

Q = TypeVar("Q")
R = TypeVar("R")


class Switchboard:
    """Who serves what on one in-process bus."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: dict[str, tuple[str, Server[Any, Any]]] = {}
        self._callers: list[MemoryCalls] = []

    def services(self) -> list[tuple[str, str]]:
        with self._lock:
            return sorted((name, node) for name, (node, _) in self._servers.items())

    def server(self, name: str) -> Server[Any, Any] | None:
        found = self._servers.get(name)
        return found[1] if found else None

    def add_caller(self, caller: MemoryCalls) -> None:
        with self._lock:
            self._callers.append(caller)

    def add(self, node: str, server: Server[Any, Any]) -> None:
        """Raises BusError if the name is taken."""
        name = server.service.name
        with self._lock:
            if name in self._servers:
                owner = self._servers[name][0]
                raise BusError(f"service {name}: {owner!r} serves it already; stop that node or use another namespace")
            self._servers[name] = (node, server)
            callers = list(self._callers)
        for caller in callers:
            caller.wake()

    def remove(self, caller: MemoryCalls, names: list[str]) -> None:
        with self._lock:
            for name in names:
                del self._servers[name]
            if caller in self._callers:
                self._callers.remove(caller)


class MemoryCalls:
    """One node's servers and clients, and the thread that ends calls in time; it starts with the first client or server."""

    def __init__(self, node: str, switchboard: Switchboard) -> None:
        self._node = node
        self._board = switchboard
        self._servers: dict[str, Server[Any, Any]] = {}
        self._clients: dict[str, Client[Any, Any]] = {}
        self._changed = threading.Condition()
        self._woken = self._stopping = False
        self._interrupted = ""
        self._thread: threading.Thread | None = None

    def serve(self, service: Service[Q, R], handler: Callable[[Any], R], action: Action[Q, Any, R] | None = None) -> Server[Q, R]:
        check_name("service", service.name)
        server = Server(service, handler, self._reply, action)
        self._board.add(self._node, server)
        self._servers[service.name] = server
        self._start()
        return server

    def client(self, service: Service[Q, R]) -> Client[Q, R]:
        with self._changed:
            if service.name not in self._clients:
                client = self._clients[service.name] = Client(service, self._node, self.wake)
                if self._interrupted:
                    client.end(self._interrupted)
            self._start()
            return self._clients[service.name]

    def clients(self) -> list[str]:
        with self._changed:
            return sorted(self._clients)

    def wake(self) -> None:
        """Send what waits in the clients."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def interrupt(self) -> None:
        with self._changed:
            self._interrupted = f"the bus of node {self._node} is interrupted"
            clients = list(self._clients.values())
        for client in clients:
            client.end(self._interrupted)

    def close(self) -> None:
        self.interrupt()
        end_all(self._servers.values())
        self._board.remove(self, list(self._servers))
        self._servers.clear()
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _start(self) -> None:
        if self._thread is None:
            self._board.add_caller(self)
            self._thread = threading.Thread(target=self._main, name=f"bus-services-{self._node}", daemon=True)
            self._thread.start()

    def _main(self) -> None:
        due_ns = 0
        while not self._stopping:
            with self._changed:
                self._changed.wait_for(lambda: self._woken or self._stopping, min(max(0, due_ns - time.monotonic_ns()) / 1e9, 3600.0))
                self._woken = False
                clients, servers = list(self._clients.values()), list(self._servers.values())
            now = time.monotonic_ns()
            for server in servers:
                server.tick(now)
            for client in clients:
                client.tick(now)
                self._flush(client)
            due_ns = min([FOREVER_NS, *(client.due_ns for client in clients), *(server.due_ns for server in servers)])

    def _flush(self, client: Client[Any, Any]) -> None:
        def send(parts: list[Part]) -> bool:
            server = self._board.server(client.service.name)
            if server is not None:
                server.receive(client, parts)
            return server is not None

        client.flush(send)

    def _reply(self, peer: Hashable, parts: list[Part]) -> None:
        if isinstance(peer, Client):
            peer.receive(parts)
        self.wake()
