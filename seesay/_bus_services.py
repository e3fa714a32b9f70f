"""The services of a bus over ZeroMQ: ROUTER sockets for servers, DEALER sockets for clients, Unix sockets in the session's directory.

A server binds `directory/<service with dots>.srv` and holds a lock beside it, in which its node's name stands; so there is one server of
a name, and clients need no discovery: they connect to the path, and ZeroMQ keeps trying until the server is there (again).

A round trip costs few changes of thread, which are what takes time: a server's thread runs its handler itself as long as that is quick,
and a caller who waits receives its answer itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import zmq

from seesay._bus_callers import CallThread, SocketClient
from seesay._bus_servers import ServerThread
from seesay._bus_socket import open_socket
from seesay.calls import Client
from seesay.services import Action, Service
from seesay.serving import Server, end_all
from seesay.session import SERVICE, check_path

Q = TypeVar("Q")
R = TypeVar("R")


class Services:
    """All servers and clients of one bus."""

    def __init__(self, directory: Path, node: str) -> None:
        self._directory = directory
        self._node = node
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._servers: list[ServerThread] = []
        self._clients: dict[str, SocketClient[Any, Any]] = {}
        self._call_thread = CallThread(node)
        self._interrupted = False

    def serve(self, service: Service[Q, R], handler: Callable[[Any], R], action: Action[Q, Any, R] | None) -> Server[Q, R]:
        """Start a server. Raises BusError if the name is taken or too long for a path."""
        thread = ServerThread(self._context, self._path(service.name), self._node, service, handler, action)
        self._servers.append(thread)
        return thread.server

    def client(self, service: Service[Q, R]) -> Client[Q, R]:
        """Return the client of a service, always the same one. Raises BusError if its name is too long for a path."""
        if service.name not in self._clients:
            path = self._path(service.name)
            client = SocketClient(service, self._node, partial(_connected, self._context, path), path.exists, self._call_thread)
            self._clients[service.name] = client
            if self._interrupted:
                self._end(client)
        return self._clients[service.name]

    def clients(self) -> list[str]:
        """Return the names of the services that have a client here, in order."""
        return sorted(self._clients)

    def interrupt(self) -> None:
        """End all calls, and refuse new ones."""
        if self._interrupted:
            return
        self._interrupted = True
        for client in list(self._clients.values()):
            self._end(client)

    def stop(self) -> None:
        """End all calls, let handlers end and send their answers, then close everything; returns when that is done. Once only."""
        self.interrupt()
        end_all(thread.server for thread in self._servers)
        released = [thread.stop() for thread in self._servers]
        self._call_thread.stop()
        for client in self._clients.values():
            client.close()
        if all(released):   # a handler that hangs keeps its socket, and the context could wait for it for ever
            self._context.term()

    def _end(self, client: Client[Any, Any]) -> None:
        client.end(f"service {client.service.name}: the bus of node {self._node} is interrupted or closed")

    def _path(self, service: str) -> Path:
        path = self._directory / f"{service.replace('/', '.')}{SERVICE}"
        check_path(path)
        return path


def _connected(context: zmq.Context[zmq.Socket[bytes]], path: Path) -> zmq.Socket[bytes]:
    """A DEALER for the server that is or will be at `path`.

    Not IMMEDIATE: that makes libzmq drop answers that have arrived when their server ends before they are read. So requests wait in the
    socket for a server to come; it drops those whose deadline is over.
    """
    socket = open_socket(context, zmq.DEALER)
    socket.connect(f"ipc://{path}")
    return socket
