"""New questions about pictures already gone: `python -m benchmarks.memory --json`.

The embedded detector's memory of pictures of the tabletop test scenes. `query_ms`: a text never asked before over all of them, the text
tower included, median. `megabytes`: with the depth that gives answers their positions. `recall`: share of the boxes that the live detector
finds for the sixty names, at the same threshold, which the memory finds too (same name, IoU at least 0.9). `precision`: the same the
other way round.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
from rich.progress import track

from benchmarks import full_size
from benchmarks.accuracy_scenes import pictures
from benchmarks.common import show
from benchmarks.tabletop_accuracy import NAMES
from seesay.messages import CameraInfo, Detections, Header, Image, PromptSet, Remembered, Transform
from seesay.perception.boxes import iou
from seesay.perception.detector import Detector
from seesay.perception.memory import VisualMemory, shrink
from seesay.perception.owlvit import ImageCode

BARS = {"query_ms": ("<=", 50.0), "megabytes": ("<=", 64.0), "recall": (">=", 0.95), "n_frames": (">=", 600)}
SAME = 0.9


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    full_size.placement(options.device)
    show("visual memory, embedded detector", figures(options.frames, options.device), options.json, BARS)


def figures(count: int, device: str) -> dict[str, Any]:
    detector, memory = Detector.from_pretrained(device=device), VisualMemory()
    live: dict[int, Detections] = {}
    depth, words = depth_of(240, 320), PromptSet(Header(0), 0, NAMES)

    def remember(image: Image, code: ImageCode) -> None:
        memory.add(Remembered(image.header, detector.embeddings(image, code), *depth))

    detector.observer = remember
    for stamp, shot in enumerate(track(pictures((count + 1) // 2)[:count], description="remembering"), 1):
        live[stamp] = detector.detect(Image(Header(stamp), "rgb8", shot.image), words)
    everything = detector.encode_prompts(NAMES)
    remembered = {answer.header.stamp_ns: answer for _, answer in memory.ask(everything)}
    recall, precision = _found_again(live, remembered), _found_again(remembered, live)
    times = []
    for name in NAMES[:20]:
        started = time.perf_counter()
        memory.ask(detector.encode_prompts([f"a {name}"]))
        times.append(1e3 * (time.perf_counter() - started))
    return {
        "n_frames": len(memory), "query_ms": statistics.median(times), "query_ms_worst": max(times), "megabytes": memory.megabytes,
        "recall": recall, "precision": precision, "threshold": detector.threshold,
    }  # fmt: skip


def depth_of(height: int, width: int) -> tuple[Image, CameraInfo, Transform]:
    """Any depth with calibration and pose: what is kept of it takes the same room."""
    depth = Image(Header(0), "32FC1", np.ones((height, width), np.float32))
    pose = Transform(Header(0), "camera", np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))
    return *shrink(depth, CameraInfo(Header(0), height, width, np.eye(3))), pose


def _found_again(these: dict[int, Detections], others: dict[int, Detections]) -> float:
    """Share of the boxes of `these` that `others` hold for the same picture and name."""
    hit = total = 0
    for stamp, answer in these.items():
        other = others.get(stamp)
        for box, index in zip(answer.boxes, answer.prompt_indices, strict=True):
            total += 1
            hit += other is not None and bool((iou(box[None], other.boxes[other.prompt_indices == index]) >= SAME).any())
    return hit / max(total, 1)


if __name__ == "__main__":
    main()
