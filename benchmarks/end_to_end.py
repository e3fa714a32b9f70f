"""What the nodes cost around the engine: `python -m benchmarks.end_to_end --json`.

A recording of 1080p pictures is played by `seesay play`'s node to the detector node, which holds owlvit-base-patch32 with random weights,
each a process of its own. `throughput_over_bare`: answers a second when pictures come faster than the engine is, over the rate of the
engine alone, called in the node's process before the node starts and after it has ended. `added_age_ms`: from the sending of a picture
to the arrival of its boxes, less the time that the engine took for that picture, median over pictures that find the engine idle.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from benchmarks import full_size
from benchmarks.common import show
from seesay import topics
from seesay.bag.coder import Coder
from seesay.bag.reader import RECORDING
from seesay.bag.writer import BagWriter
from seesay.bus import Bus
from seesay.messages import Detections, Header, Image, PromptSet, Source
from seesay.nodes.runtime import serve
from seesay.perception import engines
from seesay.perception.detector import Detector
from seesay.perception.owlvit import Owl

IMAGE = topics.IMAGE.of(camera="front")
PICTURES = 8
PATIENCE_S = 300.0
BARS = {"throughput_over_bare": (">=", 0.95), "added_age_ms": ("<=", 5.0)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.end_to_end", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--answers", type=int, default=20, help="of the node, when pictures come faster than it is")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--node", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    full_size.placement(options.device)
    if options.node:
        node(options.node, options.device, options.threads, options.answers)
    else:
        show("end to end, owlvit-base-patch32", figures(options.device, options.threads, options.answers), options.json, BARS)


def figures(device: str, threads: int, answers: int) -> dict[str, Any]:
    """Runs the nodes and asks them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ss-")))
        record(folder / "bag")
        bus = stack.enter_context(Bus(folder / "session", "benchmark"))
        bus.publisher(topics.PROMPTS).send(PromptSet(Header(0), 1, full_size.PROMPTS[:20]))
        watch = Watch(bus)
        options = ["--node", str(folder / "session"), "--device", device, "--threads", str(threads), "--answers", str(answers)]
        engine = stack.enter_context(_process("benchmarks.end_to_end", *options))
        assert engine.stdout is not None
        lines = (json.loads(line) for line in engine.stdout if line.startswith("{"))
        before = next(lines)["bare_s"]
        with _player(folder, pictures_per_s=1 / (1.5 * max(before) + 0.2)):
            ages = watch.ages(PICTURES)
        with _player(folder, pictures_per_s=4 / min(before)):
            rate = watch.rate(answers)
        watch.drain(2 * max(before))
        engine.terminate()   # idle now: a node that is busy for too long is ended by force
        told = list(lines)   # one line for each answer, in the same order, then the engine alone
        bare = statistics.median([*before, *told[-1]["bare_s"]])
        added = [1e3 * (age - line["engine_s"]) for age, line in zip(ages, told, strict=False)][1:]
        return {
            "throughput_over_bare": rate * bare, "added_age_ms": statistics.median(added), "added_age_ms_worst": max(added),
            "rate_hz": rate, "bare_ms": 1e3 * bare, "n_idle": len(added),
        }  # fmt: skip


def record(path: Path) -> None:
    """A recording of PICTURES pictures of 1080p, one a second."""
    writer, coder = BagWriter(path, {RECORDING: {"clock": "monotonic", "offset_ns": "0"}}), Coder()
    for number in range(1, PICTURES + 1):
        stamp = number * 10**9
        header = Header(stamp, number, "front_optical", "monotonic", Source("front", number, stamp))
        for entry in coder.encode(IMAGE, Image(header, "rgb8", full_size.picture(number))):
            writer.write(entry, stamp, stamp)
    writer.close()


def node(session: str, device: str, threads: int, answers: int) -> None:
    """The detector node, whose engine tells how long it takes for each picture, with the engine alone before and after it."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    detector = Detector(Owl(full_size.owlvit(), full_size.placement(device)), threshold=0.5)
    picture = Image(Header(0), "rgb8", full_size.picture())
    look, words = detector.detect_all, PromptSet(Header(0), 1, full_size.PROMPTS[:20])

    def timed(images: Sequence[Image], prompts: PromptSet) -> list[Detections]:
        started = time.perf_counter()
        found = look(images, prompts)
        _say(engine_s=time.perf_counter() - started)
        return found

    def alone() -> None:
        look([picture], words)
        _say(bare_s=[_seconds(lambda: look([picture], words)) for _ in range(answers // 2)])

    alone()
    detector.detect_all = timed  # type: ignore[method-assign]
    engines.open_detector = lambda *_, **__: detector
    serve("detector", session, "detector", {})
    alone()


class Watch:
    """When pictures leave and when their boxes arrive, by the sequence of the picture."""

    def __init__(self, bus: Bus) -> None:
        self._sent: dict[int, int] = {}
        self._pictures, self._answers = bus.subscriber(IMAGE, depth=1), bus.subscriber(topics.DETECTIONS, depth=256)
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        while (picture := self._pictures.take(PATIENCE_S, view=True)) is not None:
            self._sent[picture.message.header.sequence] = picture.sent_ns

    def ages(self, count: int) -> list[float]:
        """Seconds from sending to arrival of the next `count` answers."""
        answers = [self._next() for _ in range(count)]
        return [(received_ns - self._sent[sequence]) / 1e9 for sequence, received_ns in answers]

    def rate(self, count: int) -> float:
        """The next `count` answers a second, from one to the next."""
        times = [self._next()[1] for _ in range(count + 2)][1:]
        return count / ((times[-1] - times[0]) / 1e9)

    def drain(self, seconds: float) -> None:
        """Take answers until there are none for so long."""
        while self._answers.take(seconds) is not None:
            pass

    def _next(self) -> tuple[int, int]:
        answer = self._answers.take(PATIENCE_S)
        if answer is None:
            raise SystemExit(f"expected boxes within {PATIENCE_S:.0f} s, got none")
        return answer.message.header.sequence, answer.received_ns


@contextmanager
def _player(folder: Path, pictures_per_s: float) -> Iterator[None]:
    """Plays the recording, whose pictures are a second apart, over and over."""
    config = json.dumps({"path": str(folder / "bag"), "rate": pictures_per_s, "loop": True, "delay_s": 3.0})
    with _process("seesay.nodes.runtime", "play", "--session", str(folder / "session"), "--config", config):
        yield


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _say(**values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
