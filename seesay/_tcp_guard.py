"""Cuts tcp connections that send and send without ever ending a message.

libzmq limits the size of a part and the number of waiting messages, but not the parts of one message: it keeps them all until the last.
The kernel's count of the bytes that a connection received, taken between two whole messages, shows such a peer (Linux only: elsewhere
there is no such count, and only those who hold an allowed key can do it). The same count shows that a peer lives while a large message
crosses a slow network.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import sys
from dataclasses import dataclass

_log = logging.getLogger(__name__)

MAX_PENDING_BYTES = 32 << 20
MAX_GREETING_BYTES = 256 << 10
_BYTES_RECEIVED = struct.Struct("=128xQ")  # linux/tcp.h, struct tcp_info: tcpi_bytes_received


@dataclass(slots=True)
class _Connection:
    """One tcp connection: its two ends, the route of its messages, bytes received, and `base` of these at its last whole message."""

    ends: tuple[object, object]
    route: bytes | None = None
    received: int = 0
    base: int = 0
    messages: int = 0
    counted: int = 0


class Guard:
    """Knows the connections of one ZeroMQ socket by their file descriptors. Descriptors are used again, so both ends are compared."""

    def __init__(self) -> None:
        self._connections: dict[int, _Connection] = {}

    def add(self, descriptor: int) -> None:
        """A connection came."""
        found = _look(descriptor) if sys.platform == "linux" else None
        if found is not None:
            self._connections[descriptor] = _Connection(found[0])

    def remove(self, descriptor: int) -> None:
        """A connection went."""
        self._connections.pop(descriptor, None)

    def delivered(self, descriptor: int, route: bytes) -> None:
        """A whole message from `route` came through the connection."""
        connection = self._connections.get(descriptor)
        if connection is not None:
            connection.messages += 1
            connection.route = route

    def check(self) -> set[bytes]:
        """Shut every connection that has received too much since its last whole message; return the routes from which bytes came."""
        heard: set[bytes] = set()
        for descriptor, connection in list(self._connections.items()):
            found = _look(descriptor)
            if found is None or found[0] != connection.ends:
                del self._connections[descriptor]
                continue
            if connection.messages != connection.counted:
                connection.counted, connection.base = connection.messages, found[1]
            if connection.route is not None and found[1] != connection.received:
                heard.add(connection.route)
            connection.received = found[1]
            pending = found[1] - connection.base
            if pending > (MAX_PENDING_BYTES if connection.messages else MAX_GREETING_BYTES):
                _log.warning("cut off %s: %d bytes without the end of a message", connection.ends[1], pending)
                _look(descriptor, shut=True)
                del self._connections[descriptor]
        return heard


def _look(descriptor: int, shut: bool = False) -> tuple[tuple[object, object], int] | None:
    """Both ends of a tcp connection and the bytes that it has received, None if the descriptor is no longer one."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            ends = connection.getsockname(), connection.getpeername()
            (received,) = _BYTES_RECEIVED.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_RECEIVED.size))
            if shut:
                connection.shutdown(socket.SHUT_RDWR)
    except (OSError, struct.error):
        return None
    return ends, received
