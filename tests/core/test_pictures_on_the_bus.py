"""Pictures: lent, copied, looked at in place; on sockets and in memory alike where the contract is the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from seesay import _ring
from seesay._bus_in import Inlet
from seesay.bus import AnyBus, Bus, Publisher, Received, Subscriber
from seesay.errors import BusError, MessageError
from seesay.messages import Encoding, Header, Image
from seesay.topics import DEPTH, IMAGE, PROMPTS

OpenBus = Callable[[str], AnyBus]
LONG = 30.0
FRONT = IMAGE.of(camera="front")
needs_ring = pytest.mark.skipif(not _ring.AVAILABLE, reason="needs Linux on x86-64")


def picture(value: int, height: int = 120, width: int = 200) -> Image:
    return Image(Header(value, value), "rgb8", np.full((height, width, 3), value % 256, np.uint8))


def taken(subscriber: Subscriber[Image], view: bool = False) -> Received[Image]:
    received = subscriber.take(LONG, view)
    assert received is not None
    return received


def connect(publisher: Publisher[Any], count: int = 1) -> None:
    assert publisher.wait_for_subscribers(count, LONG)


@pytest.mark.parametrize(
    ("encoding", "shape", "dtype"),
    [("rgb8", (120, 200, 3), "uint8"), ("mono8", (300, 400), "uint8"), ("16UC1", (200, 300), "uint16"), ("32FC1", (200, 300), "float32")],
)
def test_a_loan_is_filled_in_place_and_sent(open_bus: OpenBus, encoding: Encoding, shape: tuple[int, ...], dtype: str) -> None:
    publisher, subscriber = open_bus("camera").publisher(FRONT), open_bus("detector").subscriber(FRONT)
    connect(publisher)
    with publisher.loan(shape[0], shape[1], encoding, Header(5, 1, "front_optical")) as pixels:
        assert (pixels.shape, pixels.dtype) == (shape, np.dtype(dtype))
        pixels[...] = np.arange(pixels.size).reshape(shape) % 251
    image = taken(subscriber).message
    assert (image.encoding, image.header.stamp_ns, image.header.frame_id) == (encoding, 5, "front_optical")
    np.testing.assert_array_equal(image.data, (np.arange(image.data.size).reshape(shape) % 251).astype(dtype))
    assert image.data.flags.writeable


def test_a_loan_that_fails_sends_nothing_and_gives_its_place_back(open_bus: OpenBus) -> None:
    publisher, subscriber = open_bus("camera").publisher(FRONT), open_bus("detector").subscriber(FRONT)
    connect(publisher)
    for _ in range(20):
        with pytest.raises(ZeroDivisionError), publisher.loan(120, 200, "rgb8", Header(1)) as pixels:
            pixels[...] = 1 / 0
    assert publisher.sequence == 0
    publisher.send(picture(2))
    assert taken(subscriber).message.header.stamp_ns == 2


def test_impossible_loans_are_refused(open_bus: OpenBus) -> None:
    bus = open_bus("camera")
    with pytest.raises(BusError, match="topic of images"), bus.publisher(PROMPTS).loan(1, 1, "rgb8", Header(0)):
        pass
    impossible: list[tuple[int, int, Any]] = [(0, 5, "rgb8"), (5, -1, "rgb8"), (5, 5, "jpeg"), (1 << 20, 1 << 20, "rgb8")]
    for height, width, encoding in impossible:
        with pytest.raises(MessageError, match="loan"), bus.publisher(FRONT).loan(height, width, encoding, Header(0)):
            pass


def test_a_view_is_what_was_sent_until_it_is_written_over(open_bus: OpenBus) -> None:
    publisher, subscriber = open_bus("camera").publisher(FRONT), open_bus("detector").subscriber(FRONT)
    connect(publisher)
    publisher.send(picture(9))
    received = taken(subscriber, view=True)
    assert int(received.message.data.min()) == int(received.message.data.max()) == 9
    assert received.intact()


def test_pictures_of_growing_size_arrive(open_bus: OpenBus) -> None:
    publisher, subscriber = open_bus("camera").publisher(FRONT), open_bus("detector").subscriber(FRONT)
    connect(publisher)
    for value, side in enumerate((10, 200, 400, 300, 800), 1):
        publisher.send(picture(value, side, side))
        image = taken(subscriber).message
        assert image.data.shape == (side, side, 3)
        assert (image.data == value).all()
    assert subscriber.stats.torn == subscriber.stats.gaps == 0


def test_a_keep_all_topic_keeps_more_pictures_than_the_ring_has_slots(open_bus: OpenBus) -> None:
    topic = DEPTH.of(camera="front")
    publisher, subscriber = open_bus("camera").publisher(topic), open_bus("grounding").subscriber(topic)
    connect(publisher)
    for value in range(24):
        publisher.send(picture(value))
        while subscriber.unread <= value:   # what waits is a copy: slots are free again
            assert subscriber.stats.gaps == 0
    assert [int(item.message.data[0, 0, 0]) for item in subscriber.take_all()] == list(range(24))


def test_the_newest_picture_may_be_looked_at_without_being_taken(open_bus: OpenBus) -> None:
    publisher, subscriber = open_bus("camera").publisher(FRONT), open_bus("detector").subscriber(FRONT)
    connect(publisher)
    publisher.send(picture(3))
    assert open_wait(subscriber)
    newest = subscriber.latest()
    assert newest is not None
    assert taken(subscriber) == newest


def open_wait(subscriber: Subscriber[Any]) -> bool:
    return subscriber.gate.wait([subscriber], LONG) == [subscriber]


@needs_ring
def test_who_waits_for_several_mailboxes_receives_without_the_thread_of_the_bus(
    session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Bus(session, "camera") as camera, Bus(session, "detector") as bus:
        publisher, mailboxes = camera.publisher(FRONT), [bus.subscriber(topic) for topic in (FRONT, DEPTH.of(camera="front"))]
        connect(publisher)
        receivers: list[threading.Thread] = []
        deliver, inlet = mailboxes[0].deliver, cast(Inlet, mailboxes[1].waiter)

        def noted(*arguments: Any) -> None:
            receivers.append(threading.current_thread())
            deliver(*arguments)

        def send() -> None:
            while not inlet._waiting:
                time.sleep(1e-3)
            publisher.send(picture(1))

        monkeypatch.setattr(mailboxes[0], "deliver", noted)
        while threading.current_thread() not in receivers:   # now and then a sign of life comes between, and then the bus receives
            assert len(receivers) < 20
            sender = threading.Thread(target=send)
            sender.start()
            assert bus.wait(mailboxes, LONG) == [mailboxes[0]]
            sender.join()
            taken(mailboxes[0])


@needs_ring
def test_a_view_costs_no_copy_and_cannot_be_written(session: Path) -> None:
    with Bus(session, "camera") as camera, Bus(session, "detector") as bus:
        publisher, subscriber = camera.publisher(FRONT), bus.subscriber(FRONT)
        connect(publisher)
        publisher.send(picture(1))
        received = taken(subscriber, view=True)
        assert not received.message.data.flags.writeable
        for value in range(2, 7):
            publisher.send(picture(value))
        assert not received.intact()
        assert received.message.data[0, 0, 0] != 1


@needs_ring
def test_what_was_written_over_before_it_was_taken_is_counted_and_not_delivered(session: Path) -> None:
    """The publisher writes on, and its newer headers do not reach the mailbox."""
    with Bus(session, "camera") as camera, Bus(session, "detector") as bus:
        publisher, subscriber = camera.publisher(FRONT), bus.subscriber(FRONT)
        connect(publisher)
        publisher.send(picture(1))
        assert open_wait(subscriber)
        outlet: Any = publisher._transmitter
        for _ in range(4):
            outlet.reserve(100).discard()
        assert subscriber.latest() is None
        assert subscriber.take(0) is None
        assert subscriber.stats.torn == 1


@needs_ring
def test_a_loan_after_its_end_cannot_be_written(session: Path) -> None:
    with Bus(session, "camera") as camera:
        with camera.publisher(FRONT).loan(120, 200, "rgb8", Header(0)) as pixels:
            pixels[...] = 1
        with pytest.raises(ValueError, match="read-only"):
            pixels[...] = 2


@needs_ring
def test_more_loans_than_slots_are_refused(session: Path) -> None:
    with Bus(session, "camera") as camera:
        publisher = camera.publisher(FRONT)
        loans = [publisher.loan(120, 200, "rgb8", Header(0)) for _ in range(5)]
        for loan in loans[:4]:
            loan.__enter__()
        with pytest.raises(BusError, match="at most 4 loans"):
            loans[4].__enter__()
        for loan in loans[:4]:
            loan.__exit__(None, None, None)


def test_without_shared_memory_pictures_go_through_sockets(
    session: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(name: str, flags: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("os.memfd_create", refuse)
    with Bus(session, "camera") as camera, Bus(session, "detector") as bus:
        publisher, subscriber = camera.publisher(FRONT), bus.subscriber(FRONT)
        connect(publisher)
        for value in range(1, 4):
            with publisher.loan(120, 200, "rgb8", Header(value)) as pixels:
                pixels[...] = value
            assert (taken(subscriber).message.data == value).all()
    assert caplog.text.count("pictures go through sockets") == int(_ring.AVAILABLE)
