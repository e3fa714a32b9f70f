"""The ZeroMQ sockets of topics: their options, and messages through them.

A message is `[topic NUL, envelope, header, array buffers ...]`, or `[topic NUL, envelope, header, ring reference]` when the buffers are in
shared memory. A beat is `[topic NUL, envelope, terms]`. A subscriber sends its terms as one more subscription, to `topic NUL SOH terms`,
which no message matches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import zmq

from seesay.codec import Part
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


def send(socket: Socket, frames: Sequence[Part]) -> None:
    """Send the first three frames as copies, for they are small, and the rest without."""
    last = len(frames) - 1
    for place, frame in enumerate(frames):
        socket.send(frame, zmq.NOBLOCK | (zmq.SNDMORE if place < last else 0), copy=place < 3 or len(frame) < RING_BYTES)


def receive(socket: Socket, most: int) -> list[Part] | None:
    """Return the next message, cut off after `most` frames; None if there is none."""
    try:
        frame = socket.recv(zmq.NOBLOCK, copy=False)
    except zmq.Again:
        return None
    frames: list[Part] = []
    while True:
        if len(frames) < most:
            frames.append(frame.bytes if len(frame) < RING_BYTES else frame.buffer)
        if not frame.more:
            return frames
        frame = socket.recv(zmq.NOBLOCK, copy=False)
