"""Pictures from one host to another: camera, gateway, tcp with CURVE on loopback, gateway, consumer; four processes, two sessions.

    python -m benchmarks.bus_remote --json            # 1080p at 30 fps, 300 pictures

The age is from the stamp of a picture, before it is published, to the consumer's having it as an array: local bus, JPEG, encryption,
decoding and local bus again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket as sockets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from benchmarks.common import show
from seesay import keys
from seesay.bus import Bus, make_session_directory
from seesay.messages import Header, Image, LinkStatus
from seesay.topics import IMAGE, LINK_STATUS

FRONT = IMAGE.of(camera="front")
WARM_UP = 30
BARS = {"remote_rate_over_wanted": (">=", 0.99)}


def camera(session: str, fps: float, height: int, width: int) -> None:
    """Publish a moving, grainy picture until killed."""
    chance = np.random.default_rng(0)
    coarse = cv2.resize(chance.integers(0, 255, (height // 16, width // 8, 3), dtype=np.uint8), (2 * width, height))
    wide = coarse // 2 + chance.integers(0, 8, coarse.shape, dtype=np.uint8)
    with Bus(session, "camera") as bus:
        publisher = bus.publisher(FRONT)
        publisher.wait_for_subscribers(1, 60)
        begin = time.monotonic()
        for number in range(1, 1 << 30):
            shift = number * 7 % width
            stamp = time.monotonic_ns()
            publisher.send(Image(Header(stamp, number), "rgb8", np.ascontiguousarray(wide[:, shift : shift + width])))
            time.sleep(max(0.0, begin + number / fps - time.monotonic()))


def measure(frames: int = 300, fps: float = 30.0, height: int = 1080, width: int = 1920, quality: int = 85) -> dict[str, Any]:
    """Rate and age of `frames` pictures after the warm-up, and processor time per picture of each process."""
    with ExitStack() as stack:
        robot, laptop = stack.enter_context(_session()), stack.enter_context(_session())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name, other in (("robot", "laptop"), ("laptop", "robot")):
            _, public = keys.new(name, folder / name)
            (folder / other / "allowed").mkdir(parents=True, exist_ok=True)
            shutil.copy(public, folder / other / "allowed")
        with sockets.create_server(("127.0.0.1", 0)) as free:
            address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        sends = {"key": "robot", "keys": str(folder / "robot"), "listen": address, "offer": [FRONT.name], "quality": quality}
        takes = {"key": "laptop", "keys": str(folder / "laptop"), "peer": address, "peer_key": "robot", "accept": ["*"]}
        shot = ["-m", "benchmarks.bus_remote", "--camera", str(robot), "--fps", str(fps), "--size", str(height), str(width)]
        processes = {
            "sending_gateway": stack.enter_context(_process(_gateway(robot, sends))),
            "receiving_gateway": stack.enter_context(_process(_gateway(laptop, takes))),
            "camera": stack.enter_context(_process(shot)),
        }
        with Bus(laptop, "consumer") as bus:
            frames_of, links = bus.subscriber(FRONT), bus.subscriber(LINK_STATUS)
            ages: list[float] = []
            numbers: list[int] = []
            busy: dict[str, float] = {}
            begin = 0.0
            while len(ages) < frames:
                received = frames_of.take(60)
                now = time.monotonic_ns()
                if received is None:
                    raise SystemExit("no picture came for 60 s")
                if received.sequence >= WARM_UP and not begin:
                    begin, busy = time.monotonic(), {name: _busy_s(process) for name, process in processes.items()}
                elif begin:
                    ages.append((now - received.message.header.stamp_ns) / 1e6)
                    numbers.append(received.message.header.sequence)
            seconds = time.monotonic() - begin
            used = {f"remote_{name}_cpu_ms_per_frame": 1000 * (_busy_s(p) - busy[name]) / frames for name, p in processes.items()}
            newest = links.latest()
            link: LinkStatus | None = newest.message if newest else None
    offset = {"clock_offset_us": link.offset_ns / 1e3, "clock_offset_error_us": link.offset_error_ns / 1e3} if link else {}
    return {
        "remote_rate_hz": frames / seconds,
        "remote_rate_over_wanted": frames / seconds / fps,
        "remote_missing": numbers[-1] - numbers[0] + 1 - len(numbers),
        "remote_age_p50_ms": float(np.percentile(ages, 50)),
        "remote_age_p99_ms": float(np.percentile(ages, 99)),
        "remote_age_max_ms": max(ages),
        **used,
        **offset,
    }


@contextmanager
def _session() -> Iterator[Path]:
    directory = make_session_directory()
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _process(arguments: list[str]) -> Iterator[psutil.Process]:
    environment = os.environ | {"SEESAY_LOG": "WARNING"}
    with subprocess.Popen([sys.executable, *arguments], env=environment) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.kill()


def _gateway(session: Path, config: dict[str, Any]) -> list[str]:
    return ["-m", "seesay.nodes.runtime", "gateway", "--session", str(session), "--config", json.dumps(config)]


def _busy_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--size", type=int, nargs=2, default=[1080, 1920], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--camera", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.camera:
        camera(options.camera, options.fps, *options.size)
    else:
        show("Pictures between two hosts", measure(options.frames, options.fps, *options.size), options.json, BARS)


if __name__ == "__main__":
    main()
