"""Recorders that are killed, whose disk is full, whose folder is taken from them; files that are damaged."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mcap.reader
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.opcode import Opcode
from mcap.writer import CompressionType, Writer
from rosbags.rosbag2 import Reader

from seesay.bag.reader import BagReader
from seesay.bag.repair import repair
from seesay.bus import Bus
from seesay.errors import BagError
from seesay.messages import Image, NodeStatus
from seesay.topics import NODE_STATUS
from tests.bag.things import FRONT, picture, read, write

LONG = 60.0
NOBODY = 65534
PARENT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "tests.bag.record_forever"]


def start(path: Path, max_bytes: int = 0, *user: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, str(path), str(max_bytes), *user], cwd=PARENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(PARENT), "PYTHONDONTWRITEBYTECODE": "1"},
    )


def wait_for(process: subprocess.Popen[str], number: int) -> None:
    """Read the recorder's output up to picture `number`."""
    assert process.stdout is not None
    for line in process.stdout:
        if int(line.split()[0]) >= number:
            return
    raise AssertionError("the recorder ended early")


def check_whole(images: list[Image]) -> None:
    for image in images:
        np.testing.assert_array_equal(image.data, picture(image.header.sequence, 1, height=120, width=160).data)


def test_killed_while_recording(tmp_path: Path) -> None:
    with start(tmp_path / "bag") as process:
        wait_for(process, 300)
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        rest = [line.split() for line in process.stdout.read().splitlines() if len(line.split()) == 2]
    last_ns = int(rest[-1][1]) if rest else 0
    images = [one.message for one in read(tmp_path / "bag")]
    assert [image.header.sequence for image in images] == list(range(1, len(images) + 1))
    assert len(images) >= 100
    check_whole(images[::20])
    assert last_ns - images[-1].header.stamp_ns < 2 * 10**9   # one chunk, or what a loaded machine did not flush in half a second
    info = BagReader(tmp_path / "bag").info()
    assert "is cut off after" in info.damage
    assert {topic.topic: topic.messages for topic in info.topics}["/camera/front/image"] == len(images)


def test_reindexed_it_opens_everywhere(tmp_path: Path) -> None:
    messages = [(FRONT, picture(number), number * 10**8) for number in range(1, 30)]
    write(tmp_path / "bag", messages, max_seconds=2.0)
    last = tmp_path / "bag" / "bag_1.mcap"
    whole = last.read_bytes()
    last.write_bytes(whole[: len(whole) // 2])
    before = read(tmp_path / "bag")
    assert 20 < len(before) < 29
    with pytest.raises(Exception, match="magic"), Reader(tmp_path / "bag"):
        pass
    assert repair(tmp_path / "bag") == ["bag_1.mcap"]
    assert [one.message.header for one in read(tmp_path / "bag")] == [one.message.header for one in before]
    assert BagReader(tmp_path / "bag").info().damage == ""
    with Reader(tmp_path / "bag") as reader:
        assert reader.message_count == 2 * len(before)   # pictures and their headers
        assert sum(1 for _ in reader.messages()) == 2 * len(before)
    with open(last, "rb") as file:
        assert {record.name for record in mcap.reader.make_reader(file).iter_metadata()} == {"seesay.recording"}
    assert repair(tmp_path / "bag") == []
    assert sorted(path.name for path in (tmp_path / "bag").iterdir()) == ["bag_0.mcap", "bag_1.mcap", "metadata.yaml"]


def test_disk_full(tmp_path: Path) -> None:
    """The kernel refuses to let the recorder's files grow, as it does on a full disk (EFBIG in place of ENOSPC)."""
    with start(tmp_path / "bag") as process:
        wait_for(process, 50)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))
        _, errors = process.communicate(timeout=LONG)
    assert process.returncode == 2
    assert errors == f"recording {tmp_path / 'bag'} cannot be written: File too large; free space or name another place\n"
    images = [one.message for one in read(tmp_path / "bag")]
    assert [image.header.sequence for image in images] == list(range(1, len(images) + 1))
    assert len(images) >= 40
    check_whole(images[::10])
    assert (tmp_path / "bag" / "bag_0.mcap").stat().st_size <= 4_000_000
    assert repair(tmp_path / "bag") == ["bag_0.mcap"]
    assert len(read(tmp_path / "bag")) == len(images)


def test_folder_taken_away(tmp_path: Path) -> None:
    with start(tmp_path / "bag", max_bytes=1_000_000) as process:
        wait_for(process, 50)
        (tmp_path / "bag").rename(tmp_path / "moved")
        _, errors = process.communicate(timeout=LONG)
    assert process.returncode == 2
    assert "cannot be written: No such file or directory" in errors
    assert len(errors.splitlines()) == 1
    images = [one.message for one in read(tmp_path / "moved")]
    assert [image.header.sequence for image in images] == list(range(1, len(images) + 1))
    assert len(images) >= 50


def test_permission_lost() -> None:
    """The recorder's folder becomes read-only; the super-user, whom that does not stop, records as somebody else."""
    parent = Path(tempfile.mkdtemp(prefix="bag-"))   # pytest's own may be entered by its owner only
    root = os.geteuid() == 0
    try:
        if root:
            os.chown(parent, NOBODY, NOBODY)
        with start(parent / "bag", 1_000_000, *([str(NOBODY)] if root else [])) as process:
            wait_for(process, 50)
            (parent / "bag").chmod(0o500)
            _, errors = process.communicate(timeout=LONG)
        assert process.returncode == 2
        assert "cannot be written: Permission denied" in errors
        images = [one.message for one in read(parent / "bag")]
        assert [image.header.sequence for image in images] == list(range(1, len(images) + 1))
        assert len(images) >= 50
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(parent)], check=True)
        shutil.rmtree(parent)


WITHOUT_PRIVILEGE = """
import ctypes, os, sys
for capability in (1, 2):   # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: for a super-user too, permissions are what they say
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)   # PR_CAPBSET_DROP
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.parametrize(
    ("fault", "reason"), [("full", "File too large"), ("gone", "No such file or directory"), ("locked", "Permission denied")]
)
def test_the_others_run_on_when_the_recorder_cannot(fault: str, reason: str, tmp_path: Path, session: Path) -> None:
    """A recorder of a launch file stays, failed, and says why; the camera and its other reader notice nothing."""
    config = {"path": str(tmp_path / "bag"), "topics": ["camera/*"], "max_bytes": 1_000_000}
    bag, launcher = tmp_path / "bag", ["-c", WITHOUT_PRIVILEGE] if fault == "locked" and os.geteuid() == 0 else []
    node = ["-m", "seesay.nodes.runtime", "record", "--session", str(session), "--config", json.dumps(config)]
    command = [sys.executable, *launcher, *node]
    with Bus(session, "camera") as camera, Bus(session, "viewer") as viewer, subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        pictures, statuses, seen = camera.publisher(FRONT), viewer.subscriber(NODE_STATUS), viewer.subscriber(FRONT, "all", 1000)
        try:
            assert wait_for_state(statuses, "ready").message == str(tmp_path / "bag")
            assert pictures.wait_for_subscribers(2, LONG)
            number = 0
            while number < 20 or sum(file.stat().st_size for file in bag.glob("*.mcap")) < 100_000:
                number += 1
                pictures.send(picture(number, height=120, width=160))
                time.sleep(0.02)
            if fault == "full":
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (400_000, 400_000))
            elif fault == "gone":
                bag.rename(tmp_path / "moved")
            else:
                bag.chmod(0o500)
            while (status := statuses.take(0.02)) is None or status.message.state != "failed":
                number += 1
                pictures.send(picture(number, height=120, width=160))
            assert f"cannot be written: {reason}" in status.message.message
            for extra in range(number + 1, number + 21):
                pictures.send(picture(extra, height=120, width=160))
            newest = 0
            while newest < number + 20:
                got = seen.take(LONG)
                assert got is not None
                newest = got.message.header.sequence
            assert process.poll() is None
        finally:
            process.terminate()
        assert process.wait(LONG) == 0
    if fault == "locked":
        bag.chmod(0o700)
    images = [one.message for one in read(tmp_path / "moved" if fault == "gone" else bag) if isinstance(one.message, Image)]
    numbers = [image.header.sequence for image in images]
    assert numbers[0] == 1
    assert numbers == sorted(set(numbers))
    check_whole(images)


def wait_for_state(statuses: object, state: str) -> NodeStatus:
    while True:
        received = statuses.take(LONG)   # type: ignore[attr-defined]
        assert received is not None
        if received.message.state == state:
            message: NodeStatus = received.message
            return message


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "bag"
    write(path, [(FRONT, picture(number), number) for number in range(1, 6)])
    return path / "bag_0.mcap"


@settings(max_examples=150, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), how=st.sampled_from(["cut", "flip", "grow"]))
def test_damaged_files_are_read_up_to_the_damage(whole: Path, tmp_path_factory: pytest.TempPathFactory, share: float, how: str) -> None:
    """Bits flipped, bytes cut out and lengths blown up anywhere: messages that come are right, or a BagError says what is wrong."""
    data = whole.read_bytes()
    at = int(share * len(data))
    flipped, grown = bytes([data[at] ^ 0x55]) + data[at + 1 :], b"\xff" * 8 + data[at + 8 :]
    file = tmp_path_factory.getbasetemp() / "harmed.mcap"
    file.write_bytes(data[:at] + {"cut": b"", "flip": flipped, "grow": grown}[how])
    try:
        reader = BagReader(file)
        reader.info()
        reader.topics()
        found = [one.message for one in reader.messages()]
    except BagError:
        return
    images = [message for message in found if isinstance(message, Image)]
    for number, image in enumerate(images, 1):
        np.testing.assert_array_equal(image.data, picture(number).data)


def test_an_index_that_leads_to_a_damaged_chunk(tmp_path: Path) -> None:
    """What stands where the index should be is not decompressed: how large that becomes is what the file says."""
    path = tmp_path / "odd.mcap"
    with open(path, "wb") as output:
        writer = Writer(output, 1 << 20, CompressionType.ZSTD)
        writer.start("ros2")
        number = writer.register_channel("/x", "cdr", writer.register_schema("std_msgs/msg/String", "ros2msg", b"string data"))
        for stamp in range(100):
            writer.add_message(number, stamp, bytes(100), stamp, stamp)
        writer.finish()
    data = bytearray(path.read_bytes())
    chunk = data.index(b"zstd") - 41   # opcode, length, two times, size, CRC-32 and the length of "zstd" come before
    assert data[chunk] == Opcode.CHUNK
    data[chunk + 70] ^= 0xFF
    struct.pack_into("<Q", data, len(data) - 28, chunk)   # where the footer says that the index begins
    path.write_bytes(data)
    assert BagReader(path).info().messages in (0, 100)
