"""Gateway nodes as processes of their own, on two sessions of one host that stand for two hosts; one is killed and frozen."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket as sockets
import subprocess
import sys
import textwrap
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from seesay import keys
from seesay.bus import Bus, make_session_directory
from seesay.config import from_mapping
from seesay.errors import BusError
from seesay.messages import Header, Image, LinkStatus
from seesay.nodes.gateway import Config
from seesay.topics import IMAGE, LINK_STATUS, find

LONG = 60.0
FRONT = IMAGE.of(camera="front")
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def sessions() -> Iterator[list[Path]]:
    made = [make_session_directory(), make_session_directory()]
    yield made
    for directory in made:
        shutil.rmtree(directory)


@pytest.fixture
def start() -> Iterator[Start]:
    """`start(session, **config)` runs a gateway node; whatever still runs after the test is killed."""
    started: list[subprocess.Popen[bytes]] = []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    def start_one(session: Path, **config: object) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-m", "seesay.nodes.runtime", "gateway", "--session", str(session), "--config", json.dumps(config)]
        started.append(subprocess.Popen(program, env=environment))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.wait()


def wait_until(condition: Callable[[], bool]) -> None:
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() < begin + LONG
        time.sleep(0.01)


def wait_for(links: Callable[[], LinkStatus | None], state: str) -> None:
    """Wait until the link has this state."""
    begin = time.monotonic()
    while time.monotonic() < begin + LONG:
        if (status := links()) is not None and status.state == state:
            return
        time.sleep(0.01)
    raise AssertionError(f"the link was never {state}")


def test_a_gateway_that_is_killed_or_frozen_is_noticed_and_heals(tmp_path: Path, sessions: list[Path], start: Start) -> None:
    robot, laptop = sessions
    for name, other in (("robot", "laptop"), ("laptop", "robot")):
        _, public = keys.new(name, tmp_path / name)
        (tmp_path / other / "allowed").mkdir(parents=True, exist_ok=True)
        (tmp_path / other / "allowed" / public.name).write_text(public.read_text())
    with sockets.create_server(("127.0.0.1", 0)) as free:
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    listens = {"key": "robot", "keys": str(tmp_path / "robot"), "listen": address, "offer": ["camera/front/image"]}
    calls = {"key": "laptop", "keys": str(tmp_path / "laptop"), "peer": address, "peer_key": "robot", "accept": ["camera/*"]}
    start(laptop, **calls)
    process = start(robot, **listens)
    done = threading.Event()
    with Bus(robot, "camera") as camera, Bus(laptop, "detector") as detector:

        def film() -> None:
            number = 0
            while not done.wait(0.02):
                number += 1
                with suppress(BusError):   # closed, at the end
                    camera.publisher(FRONT).send(Image(Header(time.monotonic_ns(), number), "rgb8", np.full((48, 64, 3), 99, np.uint8)))

        filming = threading.Thread(target=film)
        filming.start()
        frames, links = detector.subscriber(FRONT), detector.subscriber(LINK_STATUS)

        def link() -> LinkStatus | None:
            newest = links.latest()
            return newest.message if newest else None

        def shows_news() -> bool:
            frames.take_all()
            received = frames.take(LONG)
            return received is not None and time.monotonic_ns() - received.message.header.stamp_ns < 5_000_000_000

        try:
            wait_for(link, "up")
            assert shows_news()
            wait_until(lambda: frames.stats.alive)
            process.send_signal(signal.SIGKILL)
            process.wait()
            wait_for(link, "connecting")
            wait_until(lambda: not frames.stats.alive)
            process = start(robot, **listens)
            wait_for(link, "up")
            assert shows_news()
            wait_until(lambda: frames.stats.alive)
            process.send_signal(signal.SIGSTOP)
            wait_for(link, "connecting")
            wait_until(lambda: not frames.stats.alive)
            process.send_signal(signal.SIGCONT)
            wait_for(link, "up")
            assert shows_news()
            wait_until(lambda: frames.stats.alive)
            camera.close()
            wait_until(lambda: not frames.stats.alive)
            wait_for(link, "up")
        finally:
            done.set()
            filming.join()
        process.terminate()
        assert process.wait(LONG) == 0


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({}, "missing required field"),
        ({"key": "robot"}, "expected either listen, or peer and peer_key"),
        ({"key": "robot", "listen": "tcp://127.0.0.1:0"}, "expected topics to offer or to accept"),
        ({"key": "nobody", "listen": "tcp://127.0.0.1:0", "accept": ["*"]}, "make one with seesay keys new NAME"),
        ({"key": "robot", "listen": "tcp://127.0.0.1:0", "accept": ["*"]}, "mode 0600, got 0644"),
    ],
)
def test_a_wrong_configuration_is_said_in_a_sentence(
    config: dict[str, object], sentence: str, tmp_path: Path, sessions: list[Path], capfd: pytest.CaptureFixture[str], start: Start
) -> None:
    secret, _ = keys.new("robot", tmp_path)
    secret.chmod(0o644)
    assert start(sessions[0], keys=str(tmp_path), **config).wait(LONG) == 2
    assert sentence in capfd.readouterr().err


def test_the_documented_launch_files_are_right() -> None:
    text = (Path(__file__).parents[2] / "docs" / "remote.md").read_text()
    blocks = [block for block in text.split("\n\n") if block.strip().startswith("[nodes.gateway]")]
    tables = [tomllib.loads(textwrap.dedent(block))["nodes"]["gateway"] for block in blocks]
    configs = [from_mapping(Config, {key: value for key, value in table.items() if key != "run"}, "docs") for table in tables]
    assert [(config.key, bool(config.listen), config.peer_key) for config in configs] == [("robot", True, ""), ("laptop", False, "robot")]
    assert [find(name).name for config in configs for name in config.offer] == [name for config in configs for name in config.offer]
