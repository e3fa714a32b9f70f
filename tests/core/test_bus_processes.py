"""The bus between real processes, killed and restarted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from seesay.bus import Bus
from seesay.codec import Envelope
from seesay.errors import BusError
from seesay.messages import Header, Image
from seesay.session import remove_dead
from seesay.topics import IMAGE, INSTRUCTION

LONG = 30.0
FRONT = IMAGE.of(camera="front")
Start = Callable[[int], "subprocess.Popen[bytes]"]


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + LONG
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@pytest.fixture
def start(session: Path) -> Iterator[Start]:
    """`start(life)` runs publish_forever.py; whatever still runs after the test is killed."""
    started: list[subprocess.Popen[bytes]] = []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    def start_one(life: int) -> subprocess.Popen[bytes]:
        program = Path(__file__).with_name("publish_forever.py")
        started.append(subprocess.Popen([sys.executable, str(program), str(session), str(life)], env=environment))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.wait()


def test_a_killed_publisher_comes_back_with_new_data_only(session: Path, start: Start) -> None:
    with Bus(session, "detector") as bus:
        frames, words = bus.subscriber(FRONT), bus.subscriber(INSTRUCTION)
        for life in range(1, 4):
            process = start(life)
            while (received := frames.take(LONG)) is not None and received.message.header.stamp_ns != life:
                assert received.message.header.stamp_ns == life - 1
            assert received is not None
            for _ in range(3):
                assert (again := frames.take(LONG)) is not None
                assert again.message.header.stamp_ns == life
            assert (word := words.take(LONG)) is not None
            assert word.message.id == str(life)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert frames.stats.restarts == 2
        assert until(lambda: bus.endpoints() == [])
        assert list(session.iterdir()) == []


def test_a_successor_without_pictures_leaves_nothing_of_the_one_that_was_killed(session: Path, start: Start) -> None:
    process = start(1)
    with Bus(session, "detector") as bus:
        assert bus.subscriber(FRONT).take(LONG) is not None
    process.kill()
    process.wait()
    with Bus(session, "camera") as heir:
        heir.publisher(FRONT)
    assert list(session.glob("camera.front.image~*")) == []


def test_what_a_killed_process_leaves_is_removed_and_a_successor_keeps_its_own(session: Path, start: Start) -> None:
    """Others sweep all the time while a node with the name of the dead one comes and goes."""
    process = start(1)
    with Bus(session, "detector") as bus:
        assert bus.subscriber(FRONT).take(LONG) is not None
    process.kill()
    process.wait()
    assert {path.suffix for path in session.iterdir()} >= {".lock", ".ring"}
    done = threading.Event()

    def sweep() -> None:
        while not done.is_set():
            remove_dead(session)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for _ in range(30):
            with Bus(session, "camera") as heir:
                heir.publisher(FRONT)
                assert (session / "camera.front.image~camera").is_socket()
                assert (session / "camera.front.image~camera.lock").exists()
                assert heir.endpoints() == [("camera/front/image", "camera")]
            assert list(session.glob("*~camera*")) == []
    finally:
        done.set()
        sweeper.join()


def test_a_subscriber_may_come_first_and_a_name_is_free_again_after_a_kill(session: Path, start: Start) -> None:
    with Bus(session, "detector") as bus:
        frames = bus.subscriber(FRONT)
        process = start(1)
        assert frames.take(LONG) is not None
        with Bus(session, "camera") as rival, pytest.raises(BusError, match="another node called 'camera' runs in"):
            rival.publisher(FRONT)
        process.kill()
        process.wait()
        with Bus(session, "camera") as heir:
            publisher = heir.publisher(FRONT)
            assert publisher.wait_for_subscribers(1, LONG)
            publisher.send(Image(Header(9), "mono8", np.zeros((2, 2), np.uint8)))
            while (received := frames.take(LONG)) is not None and received.message.header.stamp_ns != 9:
                pass
            assert received is not None


def test_others_may_not_enter_the_directory(session: Path) -> None:
    session.chmod(0o750)
    with pytest.raises(BusError, match="chmod 700"):
        Bus(session, "camera")
    session.chmod(0o700)


def test_a_path_too_long_for_a_socket_is_refused(session: Path) -> None:
    with Bus(session / ("d" * 90), "camera") as bus, pytest.raises(BusError, match="use a shorter session directory"):
        bus.publisher(FRONT)


def test_garbage_is_counted_and_survived(session: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Bus(session, "good") as sender, Bus(session, "bad") as liar, Bus(session, "detector") as bus:
        frames = bus.subscriber(FRONT)
        good, bad = sender.publisher(FRONT), liar.publisher(FRONT)
        assert good.wait_for_subscribers(1, LONG)
        assert bad.wait_for_subscribers(1, LONG)
        bad._transmitter.transmit(Envelope("bad\0" * 200, bytes(16), 1, 0), [b"\xc1"], None)
        end = time.monotonic() + LONG
        while frames.stats.invalid == 0 and time.monotonic() < end:
            time.sleep(0.002)
        good.send(Image(Header(1), "mono8", np.zeros((2, 2), np.uint8)))
        assert frames.take(LONG) is not None
    assert "dropped a message: envelope" in caplog.text


def test_a_closed_bus_says_so(session: Path) -> None:
    bus = Bus(session, "camera")
    publisher = bus.publisher(FRONT)
    bus.close()
    with pytest.raises(BusError, match="is closed"):
        publisher.send(Image(Header(1), "mono8", np.zeros((2, 2), np.uint8)))
    with pytest.raises(BusError, match="is closed"):
        bus.subscriber(FRONT)
