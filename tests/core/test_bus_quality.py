"""What both ends know of each other: mismatches, deadlines, life, age, losses."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seesay.bus import AnyBus, Bus
from seesay.messages import Clock, ClockTick, Header, Image, Instruction, Objects
from seesay.topics import CLOCK, IMAGE, INSTRUCTION, OBJECTS, Topic

OpenBus = Callable[[str], AnyBus]
LONG = 30.0
FRONT = IMAGE.of(camera="front")


def until(condition: Callable[[], bool], seconds: float = LONG) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def test_ends_that_agree_say_nothing(open_bus: OpenBus, caplog: pytest.LogCaptureFixture) -> None:
    sender, receiver = open_bus("camera"), open_bus("detector")
    publisher, subscriber = sender.publisher(FRONT), receiver.subscriber(FRONT, keep="all", depth=7)
    assert publisher.wait_for_subscribers(1, LONG)
    assert until(lambda: subscriber.stats.publishers == {"camera": True})
    assert sender.mismatches() == receiver.mismatches() == []
    assert caplog.records == []


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Topic("objects", ClockTick), "type"),
        (replace(OBJECTS, keep="all", depth=5), "keep"),
        (replace(OBJECTS, latched=True), "latching"),
        (replace(OBJECTS, reliable=True), "reliability"),
        (replace(OBJECTS, deadline_s=0.5), "deadline"),
        (replace(OBJECTS, deadline_s=0.0), "deadline"),
        (replace(OBJECTS, lease_s=0.5), "lease"),
    ],
)
def test_a_mismatch_is_said_at_both_ends(open_bus: OpenBus, caplog: pytest.LogCaptureFixture, other: Topic[Any], words: str) -> None:
    sender, receiver = open_bus("grounding"), open_bus("planner")
    publisher = sender.publisher(OBJECTS)
    receiver.subscriber(other)
    assert publisher.wait_for_subscribers(1, LONG)
    assert until(lambda: bool(sender.mismatches() and receiver.mismatches()))
    (here,), (there,) = sender.mismatches(), receiver.mismatches()
    assert (here.topic, here.role, there.topic, there.role) == ("objects", "publisher", "objects", "subscriber")
    assert here.difference.startswith(f"planner: {words}")
    assert there.difference.startswith(f"grounding: {words}")
    assert sum(record.levelno == logging.ERROR for record in caplog.records) == 2


def test_age_is_measured_when_a_message_is_taken(open_bus: OpenBus) -> None:
    publisher, subscriber = open_bus("camera").publisher(OBJECTS), open_bus("detector").subscriber(OBJECTS)
    assert subscriber.stats.age_p50_ms is None
    assert publisher.wait_for_subscribers(1, LONG)
    publisher.send(Objects(Header(1), ()))
    assert subscriber.gate.wait([subscriber], LONG)
    time.sleep(0.05)
    assert subscriber.take(0) is not None
    stats = subscriber.stats
    assert stats.age_p50_ms is not None
    assert stats.age_p99_ms == stats.age_p50_ms >= 50


@pytest.mark.parametrize(("clock", "now_ns"), [("monotonic", time.monotonic_ns), ("unix", time.time_ns)])
def test_the_age_of_a_picture_counts_from_its_stamp(open_bus: OpenBus, clock: Clock, now_ns: Callable[[], int]) -> None:
    publisher, subscriber = open_bus("camera").publisher(OBJECTS), open_bus("detector").subscriber(OBJECTS)
    assert publisher.wait_for_subscribers(1, LONG)
    publisher.send(Objects(Header(now_ns() - 1_000_000_000, clock=clock), ()))
    assert subscriber.take(LONG) is not None
    stats = subscriber.stats
    assert stats.age_p50_ms is not None
    assert stats.stamp_age_p50_ms is not None
    assert stats.stamp_age_p99_ms == stats.stamp_age_p50_ms >= stats.age_p50_ms + 999


def test_simulated_stamps_give_no_age(open_bus: OpenBus) -> None:
    publisher, subscriber = open_bus("camera").publisher(OBJECTS), open_bus("detector").subscriber(OBJECTS)
    assert publisher.wait_for_subscribers(1, LONG)
    publisher.send(Objects(Header(5, clock="sim"), ()))
    assert subscriber.take(LONG) is not None
    assert (subscriber.stats.stamp_age_p50_ms, subscriber.stats.stamp_age_p99_ms) == (None, None)


def test_a_missed_deadline_is_counted_once(open_bus: OpenBus) -> None:
    topic = replace(CLOCK, deadline_s=0.05)
    publisher, subscriber = open_bus("simulator").publisher(topic), open_bus("planner").subscriber(topic)
    assert publisher.wait_for_subscribers(1, LONG)
    for _ in range(3):
        publisher.send(ClockTick(Header(1)))
        assert subscriber.take(LONG) is not None
        time.sleep(0.1)
    assert subscriber.stats.late == 3


def test_a_loss_on_a_reliable_topic_is_said_aloud(open_bus: OpenBus, caplog: pytest.LogCaptureFixture) -> None:
    publisher, subscriber = open_bus("person").publisher(INSTRUCTION), open_bus("planner").subscriber(INSTRUCTION, depth=2)
    assert publisher.wait_for_subscribers(1, LONG)
    for number in range(3):
        publisher.send(Instruction(Header(number), str(number), "go"))
    assert until(lambda: subscriber.stats.dropped == 1)
    assert until(lambda: "topic instruction: 1 messages of person were lost" in caplog.text)


def test_the_last_messages_of_a_reliable_topic_are_missed_too(
    session: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No later message shows the gap, but a sign of life tells up to which number was sent."""
    with Bus(session, "person") as sender, Bus(session, "planner") as receiver:
        publisher, subscriber = sender.publisher(INSTRUCTION), receiver.subscriber(INSTRUCTION)
        assert publisher.wait_for_subscribers(1, LONG)
        publisher.send(Instruction(Header(1), "1", "go"))
        assert subscriber.take(LONG) is not None
        with monkeypatch.context() as patch:
            patch.setattr(publisher._transmitter, "_send", lambda head, buffers: None)
            for number in (2, 3):
                publisher.send(Instruction(Header(number), str(number), "stop"))
        assert until(lambda: subscriber.stats.gaps == 2)
        assert until(lambda: "topic instruction: 2 messages of person were lost on the way" in caplog.text)
        publisher.send(Instruction(Header(4), "4", "go"))
        assert subscriber.take(LONG) is not None
        assert (subscriber.stats.gaps, subscriber.stats.received) == (2, 2)


def test_a_publisher_that_closes_is_not_alive_and_not_missed(open_bus: OpenBus, caplog: pytest.LogCaptureFixture) -> None:
    sender, subscriber = open_bus("camera"), open_bus("detector").subscriber(FRONT)
    assert sender.publisher(FRONT).wait_for_subscribers(1, LONG)
    assert until(lambda: subscriber.stats.alive)
    sender.close()
    assert until(lambda: not subscriber.stats.alive, 1.5)
    assert caplog.records == []


@pytest.fixture
def camera(session: Path) -> Iterator[subprocess.Popen[bytes]]:
    """publish_forever.py in its own process."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    program = Path(__file__).with_name("publish_forever.py")
    process = subprocess.Popen([sys.executable, str(program), str(session), "1"], env=environment)
    yield process
    process.kill()
    process.wait()


def test_a_stopped_publisher_is_noticed_and_comes_back(
    session: Path, camera: subprocess.Popen[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    with Bus(session, "detector") as bus:
        pictures, words = bus.subscriber(FRONT), bus.subscriber(INSTRUCTION)
        assert pictures.take(LONG) is not None
        assert words.take(LONG) is not None
        assert pictures.stats.alive
        camera.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        assert until(lambda: not pictures.stats.alive and not words.stats.alive)
        noticed = time.monotonic() - stopped
        assert FRONT.lease_s - 0.1 <= noticed or camera.poll() is not None
        assert until(lambda: "nothing was heard of camera" in caplog.text)
        camera.send_signal(signal.SIGCONT)
        assert until(lambda: pictures.stats.alive and words.stats.alive)
        assert until(lambda: "camera is back" in caplog.text)
        assert pictures.stats.restarts == 0


def test_a_slow_consumer_gets_the_newest_picture(session: Path) -> None:
    """Pictures come every 5 ms or so; a consumer that takes 100 ms never gets one that was followed by another long ago."""
    with Bus(session, "camera") as sender, Bus(session, "detector") as bus:
        publisher, subscriber = sender.publisher(FRONT), bus.subscriber(FRONT)
        assert publisher.wait_for_subscribers(1, LONG)
        pixels = np.zeros((240, 320, 3), np.uint8)
        publisher.send(Image(Header(1), "rgb8", pixels))   # the ring's descriptor comes with the first one
        assert subscriber.take(LONG) is not None
        for _ in range(5):
            for _ in range(20):
                publisher.send(Image(Header(publisher.sequence + 1), "rgb8", pixels))
                time.sleep(0.005)
            newest = publisher.sequence
            assert until(lambda newest=newest: (last := subscriber.latest()) is not None and last.sequence == newest)  # type: ignore[misc]
            received = subscriber.take(0)
            assert received is not None
            assert received.sequence == newest
        assert subscriber.stats.received == publisher.sequence
