"""The recorder on a bus in memory: what it takes, what it counts as lost, limits, snapshots."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seesay import topics
from seesay.bag.reader import BagReader
from seesay.bag.recorder import PICTURES_DEPTH, Choice, Recorder
from seesay.bus import MemoryBus
from seesay.clock import ManualClock, MonotonicClock
from seesay.errors import BagError
from seesay.messages import CameraInfo, Header, PromptSet, Transform
from tests.bag.things import FRONT, picture, read

INFO = CameraInfo(Header(1), 24, 32, np.eye(3))


def prompts(version: int, text: str = "a cup") -> PromptSet:
    return PromptSet(Header(version), version, (text,))


def still(frame: str) -> Transform:
    return Transform(Header(1), frame, np.zeros(3), np.array([0.0, 0, 0, 1]), static=True)


def test_takes_what_appears_and_what_was_latched_before(tmp_path: Path) -> None:
    camera = MemoryBus("camera")
    camera.publisher(topics.CAMERA_INFO.of(camera="front")).send(INFO)
    recorder = Recorder(camera.join("record"), MonotonicClock(), tmp_path / "bag")
    assert recorder.topics == ["camera/front/camera_info"]
    pictures = camera.publisher(FRONT)
    recorder.look()
    for number in range(3):
        pictures.send(picture(number))
        recorder.step(0)
    camera.publisher(topics.PROMPTS).send(prompts(1))   # latched: found although nobody listened yet
    recorder.look()
    said = recorder.close()
    assert said.endswith("bag: 5 messages of 3 topics; lost: none")
    found = read(tmp_path / "bag")
    assert [one.topic for one in found] == ["camera/front/camera_info", *[FRONT.name] * 3, "prompts"]
    assert [one.message.header for one in found[1:4]] == [picture(number).header for number in range(3)]
    assert [one.log_ns for one in found] == sorted(one.log_ns for one in found)


def test_losses_are_counted_and_kept_in_the_file(tmp_path: Path) -> None:
    camera = MemoryBus("camera")
    pictures, words = camera.publisher(FRONT), camera.publisher(topics.PROMPTS)
    recorder = Recorder(camera.join("record"), MonotonicClock(), tmp_path / "bag")
    for number in range(PICTURES_DEPTH + 7):
        pictures.send(picture(number))
    words.send(prompts(1 << 63))   # more than ROS's int64 holds
    recorder.step(0)
    while recorder.messages < PICTURES_DEPTH:
        recorder.step(0)
    assert "lost: camera/front/image 7, prompts 1" in recorder.close()
    info = BagReader(tmp_path / "bag").info()
    assert info.losses["camera/front/image"] == {"dropped": 7, "gaps": 0, "torn": 0, "invalid": 0, "refused": 0}
    assert info.losses["prompts"] == {"dropped": 0, "gaps": 0, "torn": 0, "invalid": 0, "refused": 1}
    assert [one.message.header.sequence for one in read(tmp_path / "bag")] == list(range(7, PICTURES_DEPTH + 7))


def test_choice() -> None:
    cameras = Choice(("camera/*", "prompts"), ("*/depth",))
    some: list[topics.Topic[Any]] = [FRONT, topics.DEPTH.of(camera="a"), topics.PROMPTS, topics.OBJECTS]
    assert [cameras.takes(topic) for topic in some] == [True, False, True, False]
    assert not Choice().takes(topics.CLOCK)
    assert Choice(("*",)).takes(topics.CLOCK)


def test_files_are_split_by_size_and_by_time(tmp_path: Path) -> None:
    camera, clock = MemoryBus("camera"), ManualClock(10**9)
    pictures = camera.publisher(FRONT)
    by_time = Recorder(camera.join("time"), clock, tmp_path / "time", max_seconds=1.0)
    by_size = Recorder(camera.join("size"), clock, tmp_path / "size", max_bytes=60_000)
    for number in range(1, 41):
        pictures.send(picture(number, height=64, width=48))
        by_time.step(0)
        by_size.step(0)
        clock.advance(0.1)
    by_time.configure({"camera": '{"rate": 1}'})
    by_time.close(), by_size.close()
    assert sorted(path.name for path in (tmp_path / "time").glob("*.mcap")) == [f"time_{n}.mcap" for n in range(4)]
    for path in (tmp_path / "time", tmp_path / "size"):
        assert [one.message.header.sequence for one in read(path)] == list(range(1, 41))
    files = BagReader(tmp_path / "size").files
    assert len(files) > 3
    assert all(path.stat().st_size < 60_000 + 20_000 for path in files)   # one picture and the index
    for path in BagReader(tmp_path / "time").files:   # each file stands alone
        one = BagReader(path).info()
        assert (one.clock, one.damage) == ("sim", "")
        assert one.duration_s <= 1
        assert one.recording["seesay"]


def test_a_simulated_clock_that_has_not_begun_is_waited_for(tmp_path: Path) -> None:
    camera, clock = MemoryBus("camera"), ManualClock(0)
    words = camera.publisher(topics.PROMPTS)
    recorder = Recorder(camera.join("record"), clock, tmp_path / "bag")
    words.send(prompts(1))
    recorder.step(0)
    assert recorder.messages == 0
    clock.set(5 * 10**9)
    recorder.step(0)
    recorder.close()
    assert [one.log_ns for one in read(tmp_path / "bag")] == [5 * 10**9]


def test_snapshots_hold_the_newest_and_all_latched_values(tmp_path: Path) -> None:
    camera, clock = MemoryBus("camera"), ManualClock(10**9)
    pictures, frames = camera.publisher(FRONT), camera.publisher(topics.TRANSFORMS)
    recorder = Recorder(camera.join("record"), clock, tmp_path / "bag", memory_bytes=24_000)
    for frame in ("a", "b"):
        frames.send(still(frame))
    for number in range(1, 51):
        pictures.send(picture(number))
        recorder.step(0)
        clock.advance(0.1)
        assert recorder.bytes <= 24_000
    assert not (tmp_path / "bag").exists()
    asker: list[Path] = []
    thread = threading.Thread(target=lambda: asker.append(recorder.ask_snapshot(30)))
    thread.start()
    while thread.is_alive():
        recorder.step(0.01)
    thread.join()
    assert asker == [tmp_path / "bag-1"]
    found = read(asker[0])
    assert [one.message.child_frame_id for one in found[:2]] == ["a", "b"]
    kept = [one.message.header.sequence for one in found[2:]]
    assert kept == list(range(51 - len(kept), 51))
    assert 5 <= len(kept) <= 10
    assert found[0].log_ns == found[2].log_ns   # nobody waits for years when it is played
    pictures.send(picture(51))
    recorder.step(0)
    second = recorder.snapshot()
    assert [one.message.header.sequence for one in read(second)[2:]] == [51]
    assert "2 snapshots" in recorder.close()


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    bus = MemoryBus("record")
    recorder = Recorder(bus, MonotonicClock(), tmp_path / "bag")
    with pytest.raises(BagError, match="expected a recorder in snapshot mode"):
        recorder.snapshot()
    recorder.close()
    with pytest.raises(BagError, match=r"File exists; name a folder that does not exist yet"):
        Recorder(bus, MonotonicClock(), tmp_path / "bag")
    with pytest.raises(BagError, match="expected an MCAP file or a folder with some"):
        BagReader(tmp_path / "none")
    (tmp_path / "x.mcap").write_bytes(b"no")
    with pytest.raises(BagError, match="expected an MCAP file, got something else"):
        list(BagReader(tmp_path / "x.mcap").messages())
