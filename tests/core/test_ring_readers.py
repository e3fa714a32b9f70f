"""The ring's own socket: who is told of pictures there, and what readers cannot do to a publisher."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq

from seesay._bus_fds import MAX_PACKET_BYTES, RingLink, RingServer
from seesay._ring import AVAILABLE, RingWriter
from seesay.bus import Bus
from seesay.codec import Envelope
from seesay.errors import WireError
from seesay.messages import Header, Image
from seesay.topics import IMAGE

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs Linux on x86-64")

LONG = 30.0
FRONT = IMAGE.of(camera="front")
PICTURE = Image(Header(1), "rgb8", np.ones((240, 320, 3), np.uint8))


@pytest.fixture
def ring() -> Iterator[RingWriter]:
    writer = RingWriter(2, 5000)
    yield writer
    writer.close()


@pytest.fixture
def server(tmp_path: Path, ring: RingWriter) -> Iterator[RingServer]:
    serving = RingServer(tmp_path / "topic", ring)
    yield serving
    serving.close()


def until(condition: Callable[[], object]) -> bool:
    end = time.monotonic() + LONG
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return bool(condition())


def told(server: RingServer, envelope: bytes) -> int:
    """Send once the connections that were made last are in use."""
    server.answer()
    time.sleep(0.15)
    server.settle()
    return server.send(envelope)


def test_a_reader_gets_the_ring_and_then_what_is_sent(tmp_path: Path, server: RingServer, ring: RingWriter) -> None:
    link = RingLink(tmp_path / "topic")
    assert link.open() is None
    assert told(server, b"first") == 1
    opened = link.open()
    assert opened is not None
    assert opened.id == ring.id
    assert link.receive() == b"first"
    assert link.receive() is None
    server.replace(ring)
    assert server.send(b"second") == 0
    assert link.receive() == b""
    link.close()


def test_a_new_reader_is_not_told_before_it_has_settled(tmp_path: Path, server: RingServer) -> None:
    link = RingLink(tmp_path / "topic")
    server.answer()
    server.settle()
    assert server.send(b"early") == 0
    assert told(server, b"later") == 1
    link.close()


def test_readers_that_are_gone_or_speak_are_forgotten(tmp_path: Path, server: RingServer) -> None:
    gone, speaks, stays = (RingLink(tmp_path / "topic") for _ in range(3))
    assert told(server, b"all") == 3
    before = len(os.listdir("/proc/self/fd"))
    gone.close()
    speaks._socket.send(b"hello")
    assert server.send(b"rest") == 1
    assert len(os.listdir("/proc/self/fd")) == before - 3
    speaks.close()
    stays.close()


def test_a_reader_that_does_not_read_holds_nobody_up(tmp_path: Path, server: RingServer) -> None:
    lazy, busy = (RingLink(tmp_path / "topic") for _ in range(2))
    assert told(server, b"0") == 2
    busy.open()
    for number in range(1, 5000):
        assert server.send(b"%d" % number) == 2
        busy.receive()
    assert busy.receive() == b"4999"
    lazy.close()
    busy.close()


def test_too_many_readers_are_turned_away_and_long_envelopes_go_elsewhere(tmp_path: Path, server: RingServer) -> None:
    links = []
    for _ in range(260):
        links.append(RingLink(tmp_path / "topic"))
        server.answer()
    assert told(server, b"x" * MAX_PACKET_BYTES) == 256
    assert server.send(b"x" * (MAX_PACKET_BYTES + 1)) == 0
    with pytest.raises(WireError, match="expected one descriptor"):
        links[-1].open()
    for link in links:
        link.close()


def test_a_subscriber_without_the_ring_is_told_through_zeromq(session: Path) -> None:
    """It shares the topic with one that has the ring; each gets each picture once."""
    with Bus(session, "camera") as camera, Bus(session, "detector") as bus, zmq.Context() as context, context.socket(zmq.SUB) as plain:
        publisher, subscriber = camera.publisher(FRONT), bus.subscriber(FRONT)
        plain.setsockopt(zmq.RCVTIMEO, int(1000 * LONG))
        plain.setsockopt(zmq.SUBSCRIBE, FRONT.name.encode() + b"\0")
        plain.connect(f"ipc://{session}/camera.front.image~camera")
        assert publisher.wait_for_subscribers(2, LONG)
        for count in range(1, 21):
            publisher.send(PICTURE)
            assert (received := subscriber.take(LONG)) is not None
            assert received.sequence == count
            while (head := Envelope.unpack(plain.recv().partition(b"\0")[2])).ref is None:
                pass
            assert head.sequence == count
            time.sleep(0.02)
        assert (subscriber.stats.received, subscriber.stats.gaps) == (20, 0)


def test_with_the_ring_pictures_do_not_go_through_zeromq(session: Path) -> None:
    with Bus(session, "camera") as camera, Bus(session, "detector") as bus:
        publisher, subscriber = camera.publisher(FRONT), bus.subscriber(FRONT)
        assert publisher.wait_for_subscribers(1, LONG)
        publisher.send(PICTURE)
        assert subscriber.take(LONG) is not None
        server: RingServer = publisher._transmitter.server  # type: ignore[attr-defined]
        assert until(lambda: server._readers)
        assert server.send(b"\xff") == 1
        assert until(lambda: subscriber.stats.invalid == 1)
        publisher.send(PICTURE)
        assert (received := subscriber.take(LONG)) is not None
        assert received.sequence == 2


def test_a_wrong_first_packet_opens_nothing(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / "topic.ring"))
        listener.listen()
        link = RingLink(tmp_path / "topic")
        peer, _ = listener.accept()
        with peer:
            socket.send_fds(peer, [b"x" * 64], [0, 1])
        with pytest.raises(WireError, match="got 2"):
            link.open()
        link.close()
