"""Replay, judged by stamps: same messages, same order, and a clock that is the recording's at any rate."""

from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seesay import topics
from seesay.bag.player import TICK_S, How, Player
from seesay.bus import MemoryBus
from seesay.errors import BagError
from seesay.messages import ArmCommand, ClockTick, Header, NodeStatus, PromptSet, Transform
from tests.bag.things import DAY_NS, FRONT, picture, write

WORDS = PromptSet(Header(1), 1, ("cup",))
POSE = Transform(Header(1, frame_id="world"), "front_optical", np.zeros(3), np.array([0.0, 0, 0, 1]))
COMMAND = ArmCommand(Header(1), np.zeros(3), 0.0, 0.0)


class Virtual:
    """Time that passes only when somebody waits for it."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def wait(self, until: float) -> None:
        self.time = max(self.time, until)


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Ten pictures, one every 0.1 s, that arrived 20 ms after their stamps; prompts and a transform before them."""
    first: list[tuple[topics.Topic[Any], Any]] = [(topics.PROMPTS, WORDS), (topics.TRANSFORMS, POSE), (topics.ARM_COMMAND, COMMAND)]
    early = [(topic, message, 10**8) for topic, message in first]
    write(tmp_path / "bag", [*early, *((FRONT, picture(n), n * 10**8 + 2 * 10**7) for n in range(1, 11))], offset_ns=DAY_NS)
    return tmp_path / "bag"


def replay(path: Path, how: How, stop: threading.Event | None = None) -> tuple[MemoryBus, Virtual, dict[str, list[Any]]]:
    """Replay in virtual time; return all messages by topic."""
    bus, real = MemoryBus("play"), Virtual()
    listener = bus.join("listener")
    names = [FRONT.name, "clock", "prompts", "transforms", "arm/command"]
    watched = {name: listener.subscriber(topics.find(name), "all", 1000) for name in names}
    player = Player(bus, path, how)
    player.open()
    player.play(stop or threading.Event(), real)
    return bus, real, {name: [one.message for one in mailbox.take_all()] for name, mailbox in watched.items()}


@pytest.mark.parametrize("rate", [0.1, 1.0, 20.0])
def test_rate_and_clock(bag: Path, rate: float) -> None:
    _, real, heard = replay(bag, How(rate, clock=True))
    ticks = [tick.header.stamp_ns for tick in heard["clock"]]
    assert ticks == sorted(ticks)
    assert (ticks[0], ticks[-1]) == (10**8, 1_020_000_000)   # the recorded session's time, not the file's time of day
    assert max(np.diff(ticks)) <= TICK_S * rate * 1e9 + 1
    assert real.time - 100 == pytest.approx(0.92 / rate)
    pictures = heard[FRONT.name]
    assert [image.header.stamp_ns for image in pictures] == [n * 10**8 for n in range(1, 11)]
    assert {image.header.clock for image in pictures} == {"sim"}
    assert all(np.array_equal(image.data, picture(image.header.sequence).data) for image in pictures)


def test_every_message_finds_the_clock_at_its_arrival(bag: Path) -> None:
    bus, now = MemoryBus("play"), [0]
    listener = bus.join("listener")
    clock, pictures = listener.subscriber(topics.CLOCK, "all", 1000), listener.subscriber(FRONT, "all", 100)
    ages: list[int] = []

    class Watching(Virtual):
        def wait(self, until: float) -> None:
            super().wait(until)
            look()

    def look() -> None:
        for tick in clock.take_all():
            now[0] = tick.message.header.stamp_ns
        ages.extend(now[0] - image.message.header.stamp_ns for image in pictures.take_all())

    Player(bus, bag, How(clock=True)).play(threading.Event(), Watching())
    look()
    assert ages == [2 * 10**7] * 10   # as old as they were when they were recorded


def test_without_a_clock_nothing_is_changed(bag: Path) -> None:
    _, _, heard = replay(bag, How())
    assert heard["clock"] == []
    assert [image.header for image in heard[FRONT.name]] == [picture(n).header for n in range(1, 11)]


def test_start_offset_keeps_latched_values(bag: Path) -> None:
    _, real, heard = replay(bag, How(start_offset_s=0.6, clock=True))
    assert [image.header.sequence for image in heard[FRONT.name]] == [7, 8, 9, 10]
    assert [len(heard[name]) for name in ("prompts", "transforms")] == [1, 1]
    assert heard["clock"][0].header.stamp_ns == 7 * 10**8
    assert real.time - 100 == pytest.approx(0.32)


def test_commands_are_played_only_by_name(bag: Path) -> None:
    assert replay(bag, How())[2]["arm/command"] == []
    assert len(replay(bag, How(patterns=("arm/command", "camera/*")))[2]["arm/command"]) == 1
    assert replay(bag, How(patterns=("arm/command", "camera/*")))[2]["prompts"] == []


def test_remap(bag: Path) -> None:
    other = topics.IMAGE.of(camera="top")
    bus = MemoryBus("play")
    heard = bus.join("listener").subscriber(other, "all", 100)
    Player(bus, bag, How(remap={FRONT.name: other.name})).play(threading.Event(), Virtual())
    assert len(heard.take_all()) == 10


def test_a_clock_that_was_set_back_goes_back(tmp_path: Path) -> None:
    """The simulator was started again while it was recorded."""
    first = [(FRONT, picture(n), 10**10 + n * 10**8) for n in range(3)]
    second = [(FRONT, picture(n), n * 10**8) for n in range(3, 6)]
    write(tmp_path / "bag", [*first, *second])
    _, real, heard = replay(tmp_path / "bag", How(clock=True))
    assert [image.header.sequence for image in heard[FRONT.name]] == [0, 1, 2, 3, 4, 5]
    ticks = [tick.header.stamp_ns for tick in heard["clock"]]
    assert sum(b < a for a, b in pairwise(ticks)) == 1
    assert real.time - 100 == pytest.approx(0.4)


def test_stop_ends_it_at_once(bag: Path) -> None:
    stop = threading.Event()
    stop.set()
    assert replay(bag, How(), stop)[2][FRONT.name] == []


def test_nothing_to_play_is_said(tmp_path: Path, bag: Path) -> None:
    with pytest.raises(BagError, match="expected topics that can be played, got none"):
        Player(MemoryBus("play"), bag, How(patterns=("objects",)))
    status = NodeStatus(Header(1), "camera", "ready", 1)
    write(tmp_path / "only", [(topics.NODE_STATUS, status, 1), (topics.CLOCK, ClockTick(Header(1)), 2)])
    with pytest.raises(BagError, match="got none"):
        Player(MemoryBus("play"), tmp_path / "only")
    with pytest.raises(BagError, match="expected a positive number"):
        How(rate=0)
