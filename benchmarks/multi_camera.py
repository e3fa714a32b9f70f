"""One camera of four stops; do the others keep their rate? `python -m benchmarks.multi_camera --json`.

Four cameras, processes of their own, send pictures of the tabletop's size at a steady rate to one detector node (embedded model, batches
of four). Answers are counted per camera: with all four, with one stopped by SIGSTOP in the middle of its work, and with it killed.
A ratio is a camera's rate then over its rate with all four; the one farthest from 1 is given.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from benchmarks import full_size
from benchmarks.common import show
from seesay import topics
from seesay.bus import Bus, Subscriber, make_session_directory
from seesay.messages import Detections, Header, Image, PromptSet, Source
from seesay.nodes.node import Node

CAMERAS = ("front", "left", "right", "wrist")
STOPPED = "wrist"
SETTLE_S = 2.0
START_S = 120.0
BARS = {
    "rate_ratio_others": (">=", 0.95), "rate_ratio_others_highest": ("<=", 1.05),
    "rate_ratio_others_killed": (">=", 0.95), "rate_ratio_others_killed_highest": ("<=", 1.05),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.multi_camera", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each of the three counts")
    parser.add_argument("--rate-hz", type=float, default=5.0, help="of each camera: together below what the engine can do")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="of the detector")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--camera", default="", help=argparse.SUPPRESS)
    parser.add_argument("--session", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.camera:
        send(options.session, options.camera, options.rate_hz)
        return
    full_size.placement(options.device)
    found = figures(options.seconds, options.rate_hz, options.batch, options.device, options.threads)
    show("four cameras, one of which stops", found, options.json, BARS)


def figures(seconds: float, rate_hz: float, batch: int, device: str, threads: int) -> dict[str, Any]:
    """Rates of answers per camera and their ratios."""
    session = make_session_directory()
    detector = json.dumps({"cameras": CAMERAS, "batch": batch, "device": device})
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, session)
        bus = stack.enter_context(Bus(session, "benchmark"))
        bus.publisher(topics.PROMPTS).send(PromptSet(Header(0), 1, ("a red block", "a green bowl")))
        answers = bus.subscriber(topics.DETECTIONS, depth=256)
        stack.enter_context(_process("seesay.nodes.runtime", "detector", "--session", str(session), "--config", detector, threads=threads))
        cameras = {
            name: stack.enter_context(
                _process("benchmarks.multi_camera", "--camera", name, "--session", str(session), "--rate-hz", str(rate_hz))
            )
            for name in CAMERAS
        }
        _wait_for_all(answers)
        all_four = _rates(answers, seconds, "all four")
        cameras[STOPPED].send_signal(signal.SIGSTOP)
        stopped = _rates(answers, seconds, "one stopped")
        cameras[STOPPED].kill()
        killed = _rates(answers, seconds, "one killed")
    found: dict[str, Any] = {"rate_hz_all_four": min(all_four.values()), "batch": batch}
    for name, rates in (("", stopped), ("_killed", killed)):
        ratios = [rates[camera] / all_four[camera] for camera in CAMERAS if camera != STOPPED]
        found |= {f"rate_ratio_others{name}": min(ratios), f"rate_ratio_others{name}_highest": max(ratios)}
        found[f"rate_hz_stopped_camera{name}"] = rates[STOPPED]
    return found


def send(session: Path, camera: str, rate_hz: float) -> None:
    """A camera: a picture of noise at a steady rate until the process is ended."""
    pixels = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    with Bus(session, camera) as bus:
        node = Node(camera, bus)
        for sequence, _ in enumerate(node.every(1 / rate_hz), 1):
            stamp = node.clock.now_ns()
            header = Header(stamp, sequence, f"{camera}_optical", source=Source(camera, sequence, stamp))
            node.publish(topics.IMAGE.of(camera=camera), Image(header, "rgb8", pixels))


def _wait_for_all(answers: Subscriber[Detections]) -> None:
    missing, end = set(CAMERAS), time.monotonic() + START_S
    while missing:
        answer = answers.take(max(0.0, end - time.monotonic()))
        if answer is None:
            raise SystemExit(f"expected answers for {', '.join(sorted(missing))} within {START_S:.0f} s, got none")
        missing.discard(_camera(answer.message))


def _rates(answers: Subscriber[Detections], seconds: float, what: str) -> dict[str, float]:
    """Answers a second for each camera, once all has settled."""
    time.sleep(SETTLE_S)
    answers.take_all()
    counts: Counter[str] = Counter()
    for _ in track(range(10), description=what):
        time.sleep(seconds / 10)
        counts.update(_camera(answer.message) for answer in answers.take_all())
    return {camera: counts[camera] / seconds for camera in CAMERAS}


def _camera(found: Detections) -> str:
    return found.header.source.camera if found.header.source else ""


@contextmanager
def _process(module: str, *arguments: str, threads: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with subprocess.Popen([sys.executable, "-m", module, *arguments], env=environment) as child:
        try:
            yield child
        finally:
            child.kill()


if __name__ == "__main__":
    main()
