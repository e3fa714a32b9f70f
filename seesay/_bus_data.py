"""The ZeroMQ sockets of topics: their options, and messages through them.

A message is one frame, `topic NUL envelope`, followed by its array buffers as frames of their own unless they are in shared memory. The
envelope of a beat carries the publisher's terms as its key. A subscriber sends its terms as one more subscription, to `topic NUL SOH
terms`, which no message matches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import zmq

from seesay.codec import MAX_PARTS, Part
from seesay.topics import Topic

Socket = zmq.Socket[bytes]

MAX_PART_BYTES = 64 << 20
RING_BYTES = 64 << 10


def prefix_of(topic: Topic[Any]) -> bytes:
    return topic.name.encode() + b"\0"


def configure(socket: Socket, topic: Topic[Any], ring: bool) -> None:
    """Bound queues and messages. With a ring a queued message is small, so that queues may be as long as a stalled reader needs."""
    depth = 10_000 if topic.reliable else max(100 if ring else 2, 1 if topic.keep == "latest" else topic.depth)
    options = {
        zmq.LINGER: 0, zmq.SNDHWM: depth, zmq.RCVHWM: depth, zmq.MAXMSGSIZE: MAX_PART_BYTES,
        zmq.RECONNECT_IVL: 50, zmq.RECONNECT_IVL_MAX: 200, zmq.HANDSHAKE_IVL: 3000,
    }  # fmt: skip
    for option, value in options.items():
        socket.setsockopt(option, value)


def send(socket: Socket, first: bytes, buffers: Sequence[Part]) -> None:
    """Send a message; large buffers are not copied."""
    for part in (first, *buffers[:-1]) if buffers else ():
        socket.send(part, zmq.NOBLOCK | zmq.SNDMORE, copy=len(part) < RING_BYTES)
    last = buffers[-1] if buffers else first
    socket.send(last, zmq.NOBLOCK, copy=len(last) < RING_BYTES)


def receive(socket: Socket) -> list[Part] | None:
    """Return the frames of the next message, one too many if there are more than a message has; None if there is none.

    After None the socket's descriptor tells of the next message.
    """
    if not int(socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
        return None
    frame = socket.recv(zmq.NOBLOCK, copy=False)
    frames: list[Part] = [frame.bytes]
    while frame.more:
        frame = socket.recv(zmq.NOBLOCK, copy=False)
        if len(frames) <= MAX_PARTS:
            frames.append(frame.bytes if len(frame) < RING_BYTES else frame.buffer)
    return frames
