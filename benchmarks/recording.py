"""Is a camera of 1080p at 30 fps recorded whole, and what does it cost?

    python -m benchmarks.recording --json              # half a minute; writes some gigabytes where --folder says

A camera in this process sends pictures with noise, which no compression makes small, and a recorder of its own process writes them: raw
(exact) and as JPEG of quality 90.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.common import show
from seesay.bag.reader import BagReader
from seesay.bus import Bus, make_session_directory
from seesay.messages import Header, Source
from seesay.topics import IMAGE

HEIGHT, WIDTH, FPS, KINDS = 1080, 1920, 30, 8
BARS = {"raw_share": (">=", 1.0), "jpeg_share": (">=", 1.0)}


def run(seconds: float, folder: Path) -> dict[str, Any]:
    """Record for so long in each way; return the figures."""
    chance = np.random.default_rng(0)
    slope = np.linspace(0, 200, WIDTH)[None, :, None] + np.zeros((HEIGHT, 1, 3))
    kinds = [(slope + chance.normal(20, 4, slope.shape)).clip(0, 255).astype(np.uint8) for _ in range(KINDS)]
    figures: dict[str, Any] = {"seconds": seconds, "height": HEIGHT, "width": WIDTH, "fps": FPS}
    for pictures in ("raw", "jpeg"):
        figures |= {f"{pictures}_{name}": value for name, value in _record(pictures, kinds, seconds, folder).items()}
    return figures


def _record(pictures: str, kinds: list[Any], seconds: float, folder: Path) -> dict[str, Any]:
    session, bag = make_session_directory(), folder / "bag"
    command = [sys.executable, "-m", "seesay.nodes.cli", "record", "-o", str(bag), "--pictures", pictures, "--session", str(session)]
    try:
        with Bus(session, "camera") as bus:
            publisher = bus.publisher(IMAGE.of(camera="front"))
            with subprocess.Popen(command, stderr=subprocess.DEVNULL) as recorder:
                try:
                    publisher.wait_for_subscribers(1, 60)
                    process, cpu, sent = psutil.Process(recorder.pid), 0.0, 0
                    begin = time.monotonic()
                    before = process.cpu_times()
                    while (now := time.monotonic()) < begin + seconds:
                        sent += 1
                        stamp = time.monotonic_ns()
                        with publisher.loan(HEIGHT, WIDTH, "rgb8", Header(stamp, sent, source=Source("front", sent, stamp))) as pixels:
                            pixels[...] = kinds[sent % len(kinds)]
                        time.sleep(max(0.0, begin + sent / FPS - time.monotonic()))
                    time.sleep(1.0)
                    after = process.cpu_times()
                    cpu = after.user + after.system - before.user - before.system
                finally:
                    recorder.terminate()
        info = BagReader(bag).info()
    finally:
        shutil.rmtree(session)
        shutil.rmtree(bag, ignore_errors=True)
    recorded = next((topic.messages for topic in info.topics if topic.topic.startswith("/camera")), 0)
    return {
        "sent": sent, "sent_fps": sent / (now - begin), "recorded": recorded, "share": recorded / sent,
        "cpu_ms_per_picture": 1e3 * cpu / sent,
        "mb_s": info.bytes / 1e6 / seconds, "lost": {topic: counts for topic, counts in info.losses.items() if topic != "node_status"},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--folder", type=Path, help="where to write, by default the folder for temporary files")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        show("recording", run(options.seconds, Path(folder)), options.json, BARS)


if __name__ == "__main__":
    main()
