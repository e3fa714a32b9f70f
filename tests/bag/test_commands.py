"""`seesay record`, `play` and `bag` as people type them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from seesay import topics
from seesay.bag.reader import BagReader
from seesay.bus import Bus
from seesay.messages import Header, PromptSet
from seesay.nodes import cli
from tests.bag.things import FRONT, picture, read, write

LONG = 60.0
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of the package in its own right; ended by SIGINT if it still runs."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, "-m", *arguments], stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)


def node(name: str, session: Path, **config: Any) -> tuple[str, ...]:
    return "seesay.nodes.runtime", name, "--session", str(session), "--config", json.dumps(config)


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["seesay", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def await_state(bus: Bus, name: str, state: str) -> None:
    statuses = bus.subscriber(topics.NODE_STATUS)
    while (received := statuses.take(LONG)) is not None:
        if (received.message.node, received.message.state) == (name, state):
            return
    raise AssertionError(f"{name} is never {state}")


def test_record_info_play(tmp_path: Path, session: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    bag = tmp_path / "run"
    with Bus(session, "camera") as bus, running(*node("vocabulary", session, library="tabletop")):
        pictures = bus.publisher(FRONT)
        with running("seesay.nodes.cli", "record", "-o", str(bag), "-x", "prompts", "--session", str(session)) as recorder:
            await_state(bus, "record", "ready")
            assert pictures.wait_for_subscribers(1, LONG)
            await_state(bus, "vocabulary", "ready")
            configured = False
            number = 0
            while not configured or number < 10:   # until the recorder has asked the other node for its parameters
                number += 1
                pictures.send(picture(number))
                time.sleep(0.02)
                configured = b"library" in (bag / "run_0.mcap").read_bytes()
            recorder.send_signal(signal.SIGINT)
            _, said = recorder.communicate(timeout=LONG)
        assert recorder.returncode == 0
        assert f" MB in {bag}: " in said
    capsys.readouterr()
    assert call(monkeypatch, "bag", "info", str(bag), "--json") == 0
    info = json.loads(capsys.readouterr().out)
    counts = {topic["topic"]: topic["messages"] for topic in info["topics"]}
    recorded = [one.message.header.sequence for one in read(bag) if one.topic == FRONT.name]
    assert len(recorded) == counts["/camera/front/image"]
    assert len(recorded) + sum(info["losses"].get(FRONT.name, {}).values()) == number
    assert "/prompts" not in counts
    assert (info["damage"], info["clock"]) == ("", "monotonic")
    assert info["configuration"]["vocabulary"]["library"] == "tabletop"
    assert call(monkeypatch, "bag", "info", str(bag), "-s", "mcap") == 0
    shown = capsys.readouterr().out
    assert f"Topic: /camera/front/image | Type: sensor_msgs/msg/Image | Count: {len(recorded)} | Rate: " in shown
    assert "State:             whole" in shown
    assert '  vocabulary: {"prompts": [], "library": "tabletop"}' in shown

    with Bus(session, "listener") as bus:
        images, clock = bus.subscriber(FRONT, "all", 1000), bus.subscriber(topics.CLOCK, "all", 10_000)
        play = ["play", str(bag), "--clock", "-r", "2", "--topics", "camera/*,prompts", "--session", str(session)]
        with running("seesay.nodes.cli", *play) as player:
            assert player.wait(LONG) == 0
        got = [one.message for one in images.take_all()]
        ticks = [one.message.header.stamp_ns for one in clock.take_all()]
    stamps = [picture(n).header.stamp_ns for n in recorded]
    assert got   # perhaps not all of them: a reader of pictures gets the newest
    assert [image.header.stamp_ns for image in got] == [stamp for stamp in stamps if stamp in {image.header.stamp_ns for image in got}]
    assert {image.header.clock for image in got} == {"sim"}
    assert ticks == sorted(ticks)


def test_a_snapshot_is_taken_by_command(tmp_path: Path, session: Path) -> None:
    with Bus(session, "camera") as bus:
        words = bus.publisher(topics.PROMPTS)
        words.send(PromptSet(Header(1), 1, ("cup",)))
        with running("seesay.nodes.cli", "record", "-o", str(tmp_path / "run"), "--snapshot-mode", "prompts", "--session", str(session)):
            await_state(bus, "record", "ready")
            assert words.wait_for_subscribers(1, LONG)
            found: list[Any] = []
            command = [sys.executable, "-m", "seesay.nodes.cli", "bag", "snapshot", "--session", str(session)]
            while not found:
                done = subprocess.run(command, capture_output=True, text=True, timeout=LONG, env=os.environ | {"PYTHONPATH": str(ROOT)})
                assert done.returncode == 0, done.stderr
                found = read(Path(done.stdout.strip()))
    assert found[0].message.prompts == ("cup",)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["bag", "info", "nowhere"], "expected an MCAP file or a folder with some"),
        (["bag", "info", "bag", "-s", "sqlite3"], "storage: expected mcap, got 'sqlite3'"),
        (["play", "nowhere"], "expected an MCAP file or a folder with some"),
        (["play", "bag", "--topics", "objects"], "expected topics that can be played, got none"),
        (["play", "bag", "--remap", "a=b"], "expected OLD:=NEW"),
        (["record", "-o", "run"], "none runs"),
    ],
)
def test_a_wrong_call_says_the_cure_in_one_line(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    write(tmp_path / "bag", [(FRONT, picture(), 1)])
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(tmp_path)}
    environment.pop("SEESAY_SESSION", None)
    command = [sys.executable, "-m", "seesay.nodes.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG, cwd=tmp_path, env=environment)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert sentence in done.stderr


def test_reindex_says_what_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "bag", [(FRONT, picture(number), number) for number in range(9)])
    file = tmp_path / "bag" / "bag_0.mcap"
    file.write_bytes(file.read_bytes()[:-300])
    assert call(monkeypatch, "bag", "info", str(tmp_path / "bag")) == 0
    assert "bag_0.mcap has no index at its end" in capsys.readouterr().out
    assert call(monkeypatch, "bag", "reindex", str(file)) == 0
    assert capsys.readouterr().out == "made whole again: bag_0.mcap\n"
    assert BagReader(file).info().damage == ""
    assert call(monkeypatch, "bag", "reindex", str(tmp_path / "bag")) == 0
    assert capsys.readouterr().out == "nothing to do: it is whole\n"
