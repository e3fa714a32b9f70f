"""A memory that is kept in a folder begins where the last one ended, whatever has become of the files."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seesay.errors import ConfigError
from seesay.messages import CameraInfo, Embeddings, Header, Image, Remembered, Source, Transform
from seesay.perception import memory_files
from seesay.perception.memory import VisualMemory

S = 10**9
K = np.array([[100.0, 0, 32], [0, 100, 24], [0, 0, 1]])


def picture(second: int, camera: str = "front") -> Remembered:
    """A picture of 16 tokens, with depth, calibration and pose."""
    stamp = second * S
    header, random = Header(stamp, source=Source(camera, second, stamp)), np.random.default_rng(second)
    seen = Embeddings(
        header, "m", 48, 64, random.integers(-127, 128, (16, 8)).astype(np.int8), np.ones(16, np.float32), np.zeros(16, np.float32),
        random.uniform(0, 48, (16, 4)).astype(np.float32),
    )  # fmt: skip
    depth = Image(header, "16UC1", random.integers(0, 2000, (48, 64)).astype(np.uint16))
    pose = Transform(Header(stamp, frame_id="world"), "camera", np.arange(3.0), np.array([0, 0, 0, 1.0]))
    return Remembered(header, seen, depth, CameraInfo(header, 48, 64, K), pose)


def seconds(memory: VisualMemory) -> list[int]:
    return [round(kept.header.stamp_ns / S) for kept in memory.pictures()]


def test_the_next_memory_begins_with_the_pictures_of_the_last(tmp_path: Path) -> None:
    first = VisualMemory(folder=tmp_path)
    for second in (3, 1, 2):
        first.add(picture(second))
    first.add(picture(2, "side"))
    again = VisualMemory(folder=tmp_path)
    assert (len(again), again.megabytes) == (4, first.megabytes)
    kept, was = again.pictures(camera="front")[0], picture(3)
    assert kept.depth is not None
    assert was.depth is not None
    assert kept.pose is not None
    np.testing.assert_array_equal(kept.embeddings.vectors, was.embeddings.vectors)
    np.testing.assert_array_equal(kept.embeddings.boxes, was.embeddings.boxes)
    np.testing.assert_array_equal(kept.depth.data, was.depth.data)
    np.testing.assert_array_equal(kept.pose.translation, [0, 1, 2])
    assert kept.header.source is not None
    assert abs(kept.header.source.stamp_ns - 3 * S) < S


def test_the_folder_stays_within_the_budget(tmp_path: Path) -> None:
    memory = VisualMemory(megabytes=0.05, folder=tmp_path)
    for second in range(30):
        memory.add(picture(second))
    assert 0 < len(memory) < 10
    assert len(list(tmp_path.iterdir())) == len(memory)
    smaller = VisualMemory(megabytes=0.02, folder=tmp_path)
    assert 0 < len(smaller) < len(memory)
    assert seconds(smaller) == list(range(29, 29 - len(smaller), -1))
    assert len(list(tmp_path.iterdir())) == len(smaller)


def test_a_clock_set_back_removes_the_files_too(tmp_path: Path) -> None:
    memory = VisualMemory(folder=tmp_path)
    for second in (50, 51, 1):
        memory.add(picture(second))
    assert seconds(VisualMemory(folder=tmp_path)) == [1]


def test_after_a_boot_the_stamps_are_those_of_the_new_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    VisualMemory(folder=tmp_path).add(picture(5000))
    before = memory_files._boot_ns()
    monkeypatch.setattr(memory_files, "_boot_ns", lambda: before + 7000 * S)
    (kept,) = VisualMemory(folder=tmp_path).pictures()
    assert kept.header.stamp_ns == pytest.approx(-2000 * S, abs=S)
    assert kept.embeddings.header.source is not None
    assert kept.embeddings.header.source.stamp_ns == kept.header.stamp_ns


@pytest.mark.parametrize("harm", ["cut", "empty", "words", "compressed"])
def test_a_file_that_cannot_be_read_is_left_out_with_a_sentence(tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture) -> None:
    memory = VisualMemory(folder=tmp_path)
    for second in (1, 2):
        memory.add(picture(second))
    (path,) = tmp_path.glob("picture_2*")
    content = path.read_bytes()
    if harm == "compressed":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("0", bytes(1 << 20))
    else:
        path.write_bytes({"cut": content[:-100], "empty": b"", "words": b"no picture"}[harm])
    with caplog.at_level(logging.WARNING):
        assert seconds(VisualMemory(folder=tmp_path)) == [1]
    assert "expected a remembered picture, got" in caplog.text


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_harm_to_a_file_stops_the_memory(tmp_path: Path, data: st.DataObject) -> None:
    VisualMemory(folder=tmp_path).add(picture(1))
    (path,) = tmp_path.glob("picture_1*")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    assert len(VisualMemory(folder=tmp_path)) <= 1


def test_cameras_with_nearly_the_same_name_have_files_of_their_own(tmp_path: Path) -> None:
    names = ("arm/left", "arm-left", "arm_left", "x" * 64 + "1", "x" * 64 + "2")
    memory = VisualMemory(folder=tmp_path)
    for name in names:
        memory.add(picture(1, name))
    kept = VisualMemory(folder=tmp_path).pictures()
    assert sorted(picture.header.source.camera for picture in kept if picture.header.source) == sorted(names)


def test_what_was_being_written_is_cleared_away_and_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / ".picture_1_front.zip").write_bytes(b"half")
    VisualMemory(folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="expected a folder to keep the memory in"):
        VisualMemory(folder=tmp_path / "file")
