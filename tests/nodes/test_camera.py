"""The camera node: what it says of a picture is true of that picture."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import pytest

from seesay import topics
from seesay.clock import ManualClock
from seesay.memory_bus import MemoryBus
from seesay.messages import Header, Image
from seesay.nodes.camera import Config, run
from seesay.nodes.runtime import Node

LONG = 30.0
RED = (250, 10, 20)


class Lens:
    """A source of two blue-first pictures, taken at 100 and 200 ns."""

    name = "lens"

    def __iter__(self) -> Iterator[Image]:
        for stamp in (100, 200):
            yield Image(Header(stamp), "bgr8", np.full((48, 64, 3), RED[::-1], np.uint8))


@pytest.fixture(autouse=True)
def lens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seesay.perception.sources.open_source", lambda source: nullcontext(Lens()))




def test_a_picture_carries_the_moment_it_was_taken_and_its_true_colours() -> None:
    with MemoryBus("camera") as bus, bus.join("viewer") as viewer:
        pictures = viewer.subscriber(topics.IMAGE.of(camera="front"), "all", 16)
        run(Node("camera", bus), Config(rate_hz=50.0))
        received = [one.message for one in pictures.take_all()]
    assert [(one.header.stamp_ns, one.header.sequence) for one in received] == [(100, 1), (200, 2)]
    for one in received:
        assert one.header.clock == "monotonic"
        assert one.encoding == "rgb8"
        assert (one.data == RED).all()
        assert one.header.source is not None
        assert one.header.source.stamp_ns == one.header.stamp_ns


def test_on_simulated_time_a_picture_carries_that() -> None:
    with MemoryBus("camera") as bus, bus.join("viewer") as viewer:
        pictures = viewer.subscriber(topics.IMAGE.of(camera="front"), "all", 16)
        node = Node("camera", bus, ManualClock(7))
        thread = threading.Thread(target=run, args=(node, Config(rate_hz=50.0)))
        thread.start()
        first = pictures.take(LONG)
        node.end()
        thread.join()
    assert first is not None
    assert (first.message.header.stamp_ns, first.message.header.clock) == (7, "sim")
