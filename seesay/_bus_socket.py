"""What the sockets of servers and clients have in common."""

from __future__ import annotations

import time
from collections.abc import Iterator

import zmq

from seesay.calls import MAX_CALLS, MAX_MESSAGE_BYTES

_LINGER_MS = 700
_BURST = 64
_MAX_WAIT_NS = 3600 * 10**9


def open_socket(context: zmq.Context[zmq.Socket[bytes]], kind: int) -> zmq.Socket[bytes]:
    """A socket whose queues and messages are bounded. The answers to all calls that a client may have under way fit into its queue."""
    socket = context.socket(kind)
    options = {
        zmq.LINGER: _LINGER_MS, zmq.SNDHWM: MAX_CALLS, zmq.RCVHWM: MAX_CALLS, zmq.MAXMSGSIZE: MAX_MESSAGE_BYTES,
        zmq.RECONNECT_IVL: 50, zmq.RECONNECT_IVL_MAX: 200, zmq.HANDSHAKE_IVL: 3000,
    }  # fmt: skip
    for option, value in options.items():
        socket.setsockopt(option, value)
    return socket


def received(socket: zmq.Socket[bytes]) -> Iterator[list[bytes]]:
    """Yield what has come, at most 64 messages at a time so that nothing else starves."""
    for _ in range(_BURST):
        try:
            yield socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return


def poll_ms(due_ns: int) -> int:
    """For how long to wait until `due_ns` of CLOCK_MONOTONIC, rounded up to milliseconds, an hour at most."""
    wait_ns = min(max(0, due_ns - time.monotonic_ns()), _MAX_WAIT_NS)
    return -(-wait_ns // 1_000_000)
