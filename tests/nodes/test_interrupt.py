"""Ctrl-C and SIGTERM end what runs whole and in time, also while it starts."""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from seesay.bag.reader import BagReader
from seesay.bus import Bus
from tests.bag.things import FRONT, picture, write

LAUNCH = """
[launch]
name = "words"
[nodes.vocabulary]
run = "vocabulary"
prompts = ["a red block"]
[nodes.executor]
run = "executor"
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ss-") as folder:
        yield Path(folder)


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_every_process(folder: Path, sent: signal.Signals, status: int) -> None:
    (folder / "words.toml").write_text(LAUNCH)
    command = [sys.executable, "-m", "seesay.nodes.cli", "launch", str(folder / "words.toml"), "--session", str(folder / "s")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as system:
        assert system.stderr is not None
        while "all ready" not in (line := system.stderr.readline()):
            assert line, "the system ended before it was ready"
        children = psutil.Process(system.pid).children(recursive=True)
        assert len(children) == 2
        system.send_signal(sent)
        assert system.wait(30) == status
        assert "Traceback" not in system.stderr.read()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    assert [path.name for path in (folder / "s").iterdir()] == ["logs"]


@pytest.mark.parametrize(
    ("command", "moment"),
    [
        ("record -o bag", "typer"),
        ("record -o bag", "seesay.nodes.lifetime"),
        ("record -o bag", "rosbags.typesys.store"),
        ("record -o bag", "seesay.bag.recorder"),
        ("record -o bag --snapshot-mode", "seesay.bag.recorder"),
        ("play kept", "seesay.bag.reader"),
        ("run view", "rich.live"),
        ("view", "seesay.nodes.commands.live_view"),
        ("top", "psutil"),
        ("topic hz camera/front/image", "seesay.nodes.commands.meters"),
        ("launch words.toml", "seesay.nodes.supervisor"),
    ],
)
def test_a_command_that_starts_ends_without_complaint(folder: Path, command: str, moment: str) -> None:
    """The moment: Python has told that it has imported a module."""
    (folder / "words.toml").write_text(LAUNCH)
    write(folder / "kept", [(FRONT, picture(), 1)])
    session = folder / ("new" if command.startswith("launch") else "s")
    words = [sys.executable, "-X", "importtime", "-m", "seesay.nodes.cli", *command.split(), "--session", str(session)]
    with Bus(folder / "s", "camera") as bus:
        bus.publisher(FRONT)
        with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=folder) as process:
            assert process.stderr is not None
            while not (line := process.stderr.readline()).endswith(f" {moment}\n"):
                assert line, f"it ended before it imported {moment}"
            process.send_signal(signal.SIGINT)
            said = [line for line in process.stderr if not line.startswith("import time:")]
            assert process.wait(30) in (0, 130, -signal.SIGINT)   # the last where Python was in an `exec` of its own, as for a dataclass
        assert not [line for line in said if "Traceback" in line or "most recent call" in line], said
        assert {node for _, node in bus.endpoints()} == {"camera"}
    if (folder / "bag").exists():   # recording had begun
        assert BagReader(folder / "bag").info().damage == ""


def test_a_server_that_waits_for_a_line_ends(folder: Path) -> None:
    hello = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}
    command = [sys.executable, "-m", "seesay.nodes.cli", "mcp", "--session", str(folder)]
    with Bus(folder, "camera") as bus:
        bus.publisher(FRONT)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            assert server.stderr is not None
            server.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}) + "\n")
            server.stdin.flush()
            assert json.loads(server.stdout.readline())["id"] == 1
            server.send_signal(signal.SIGINT)
            assert server.wait(30) == 130
            assert "Traceback" not in server.stderr.read()
