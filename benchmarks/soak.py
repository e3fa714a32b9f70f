"""The whole loop for half an hour, with kills: does any process keep growing, is anything left behind, is a picture ever torn or old?

    python -m benchmarks.soak --json                   # 30 minutes
    python -m benchmarks.soak --minutes 5

The simulated tabletop with detector, segmenter and grounding, a recorder that begins a new file every minute, and a steady camera run from
the beginning to the end. A second camera and a watcher are killed (SIGKILL) twice a minute and started again by the supervisor, which runs
in this process beside a consumer that takes 170 to 250 ms a picture.

What grows is judged after a fifth of the time, by the least resident memory of each lasting process in every minute: the median of the
slopes between any two minutes, with its 95 % interval (Theil 1950, Sen 1968), and what the last third of the minutes has over the first.
The allocator of the nodes and of this process gives back at once what they free, so that what stays is what they hold: as it comes, it
keeps 5 MB more or less from one minute to the next, by which no slope of 1 MB/h could be told from none. What is never freed grows the
same either way.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import shutil
import signal
import tempfile
import threading
import time
from array import array
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from scipy.stats import theilslopes

from benchmarks.common import show
from benchmarks.soak_node import whole
from seesay.bag.reader import BagReader
from seesay.bus import Bus, make_session_directory
from seesay.config import Launch, NodeSpec
from seesay.nodes.supervisor import Supervisor
from seesay.topics import IMAGE

SAMPLE_S, FLOOR_S, KILL_S, BACK_S = 2.0, 60.0, 30.0, 60.0
STEADY, VICTIM = "steady", "left"
KILLED = ("left", "watcher")
GIVES_BACK = {"MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_MMAP_THRESHOLD_": "65536"}   # glibc: man mallopt
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3   # the same, for a process that runs already
BARS = {
    "torn_delivered": ("<=", 0), "not_back": ("<=", 0), "memory_slope_worst_mb_h": ("<=", 1.0), "descriptors_grown": ("<=", 0),
    "session_files_grown": ("<=", 0), "session_files_left": ("<=", 0), "shared_memory_files": ("<=", 0), "age_p99_ms": ("<=", 76.7),
}  # fmt: skip


def launch(bag: Path) -> Launch:
    """The tabletop without a planner, a recorder and the cameras of this benchmark."""
    often: dict[str, Any] = {"restart": "always", "max_restarts": 1_000_000, "restart_window_s": 1.0}
    mine, cameras = "benchmarks.soak_node", ["front", "side"]
    recording = {"path": str(bag), "pictures": "jpeg", "without": ["*/depth"], "max_seconds": 60.0}
    nodes = (
        NodeSpec("simulator", "simulator", threads=1, parameters={"image_hz": 1.0}),
        NodeSpec("vocabulary", "vocabulary", parameters={"library": "tabletop"}),
        NodeSpec("detector", "detector", threads=1, parameters={"cameras": cameras}),
        NodeSpec("segmenter", "segmenter", threads=1, parameters={"cameras": cameras}),
        NodeSpec("grounding", "grounding", threads=1, parameters={"cameras": cameras}),
        NodeSpec("record", "record", threads=1, parameters=recording),
        NodeSpec("steady", mine, threads=1, parameters={"role": "camera", "cameras": [STEADY]}),
        NodeSpec("left", mine, threads=1, parameters={"role": "camera", "cameras": [VICTIM]}, **often),
        NodeSpec("watcher", mine, threads=1, parameters={"role": "watcher", "cameras": [STEADY, VICTIM]}, **often),
    )
    return Launch("soak", clock="sim", nodes=tuple(replace(node, environment=GIVES_BACK) for node in nodes))


class SlowConsumer:
    """A thread that takes 170 to 250 ms for each picture of both cameras in turns, and notes its age and whether it is whole.

    killed_at: when the second camera was killed, 0 once it is back; back_s: how long that took.
    """

    def __init__(self, bus: Bus, seed: int) -> None:
        self._inputs = {name: bus.subscriber(IMAGE.of(camera=name)) for name in (STEADY, VICTIM)}
        self._chance = random.Random(seed)
        self._done = threading.Event()
        self._ages = np.zeros(5000, np.int64)   # pictures by whole milliseconds
        self.pictures = self.torn = 0
        self.back_s: list[float] = []
        self.killed_at = 0.0
        self._thread = threading.Thread(target=self._consume, name="slow consumer")
        self._thread.start()

    @property
    def torn_noticed(self) -> int:
        return sum(mailbox.stats.torn for mailbox in self._inputs.values())

    def age_ms(self, share: float) -> float:
        """The age, from sending to taking, that `share` of the pictures do not exceed."""
        return float(np.searchsorted(np.cumsum(self._ages), share * self._ages.sum()))

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    def _consume(self) -> None:
        while not self._done.is_set():
            for name, mailbox in self._inputs.items():
                received = mailbox.take(0.1)
                if received is None:
                    continue
                self._ages[min(len(self._ages) - 1, (time.monotonic_ns() - received.sent_ns) // 1_000_000)] += 1
                self.pictures += 1
                if name == VICTIM and 0 < self.killed_at < received.sent_ns / 1e9:
                    self.back_s.append(time.monotonic() - self.killed_at)
                    self.killed_at = 0.0
                self.torn += not whole(received.message)
                self._done.wait(self._chance.uniform(0.17, 0.25))


@dataclass
class Series:
    """What one process took, every SAMPLE_S: in turns seconds, resident MB, MB of its own, descriptors."""

    process: psutil.Process
    samples: array[float] = field(default_factory=lambda: array("d"))

    def sample(self, at_s: float) -> None:
        memory = self.process.memory_info()
        self.samples.extend((at_s, memory.rss / 2**20, (memory.rss - memory.shared) / 2**20, self.process.num_fds()))

    def figures(self) -> dict[str, Any]:
        """rss_grown_mb: the least of the last third of the minutes less that of the first; descriptors_grown: the most in the second half
        less the most in the first."""
        rows = np.array(self.samples).reshape(-1, 4)
        minutes = ((rows[:, 0] - rows[0, 0]) // FLOOR_S).astype(int)
        at, resident, own, _ = np.array([rows[minutes == minute].min(axis=0) for minute in np.unique(minutes)]).T
        slope, _, low, high = theilslopes(resident, at / 3600)
        descriptors, third = rows[:, 3], max(1, len(at) // 3)
        half = len(descriptors) // 2
        return {
            "rss_mb": float(resident[-1]), "rss_grown_mb": float(resident[-third:].min() - resident[:third].min()),
            "slope_mb_h": float(slope), "slope_low_mb_h": float(low), "slope_high_mb_h": float(high),
            "own_slope_mb_h": float(theilslopes(own, at / 3600)[0]), "rss_peak_mb": float(rows[:, 1].max()),
            "descriptors": int(descriptors[-1]),
            "descriptors_grown": int(descriptors[half:].max() - descriptors[:half].max()), "floors_mb": resident.round(2).tolist(),
        }  # fmt: skip


def run(minutes: float, seed: int = 0) -> dict[str, Any]:
    """Run for so long; return the figures."""
    session, folder = make_session_directory(), Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        with Supervisor(launch(folder / "bag"), session) as supervisor, Bus(session, "consumer") as bus:
            supervisor.wait_ready(300)
            consumer = SlowConsumer(bus, seed)
            try:
                figures = _watch(supervisor, consumer, session, minutes * 60, random.Random(seed))
            finally:
                consumer.stop()
        info = BagReader(folder / "bag").info()
        logged = sum(log.read_text().count("is torn") for log in (session / "logs").glob("*.log"))
        figures |= {
            "torn_delivered": consumer.torn + logged,
            "recorded": info.messages, "recorded_mb": info.bytes / 1e6, "recording_files": len(info.files),
            "recording_lost": sum(sum(counts.values()) for counts in info.losses.values()), "recording_damage": info.damage,
            "session_files_left": sum(path.name != "logs" for path in session.iterdir()),
        }  # fmt: skip
    finally:
        shutil.rmtree(session)
        shutil.rmtree(folder)
    return {"minutes": minutes} | figures


def _watch(supervisor: Supervisor, consumer: SlowConsumer, session: Path, seconds: float, chance: random.Random) -> dict[str, Any]:
    begin, warm = time.monotonic(), seconds / 5
    lasting: dict[str, Series] = {}
    files: list[int] = []
    kills = not_back = 0
    kill_at = begin + KILL_S
    while (now := time.monotonic()) < begin + seconds:
        supervisor.check()
        pids = {node.node: node.pid for node in supervisor.nodes()}
        if now - begin >= warm:
            if not lasting:
                lasting = {name: Series(psutil.Process(pid)) for name, pid in pids.items() if name not in KILLED}
                lasting["supervisor and consumer"] = Series(psutil.Process())
            for series in lasting.values():
                series.sample(now)
            files.append(sum(1 for _ in session.iterdir()))
        if now >= kill_at and now < begin + seconds - BACK_S:
            name = chance.choice(KILLED)
            not_back += consumer.killed_at > 0 or pids[name] == 0
            if pids[name]:
                os.kill(pids[name], signal.SIGKILL)
                kills += 1
                consumer.killed_at = time.monotonic() if name == VICTIM else 0.0
            kill_at = now + KILL_S * chance.uniform(0.7, 1.3)
        time.sleep(SAMPLE_S)
    not_back += consumer.killed_at > 0
    mapped = {place.path for series in lasting.values() for place in series.process.memory_maps() if place.path.startswith("/dev/shm/")}
    processes = {name: series.figures() for name, series in lasting.items()}
    return {
        "pictures": consumer.pictures, "kills": kills, "not_back": not_back,
        "back_median_s": float(np.median(consumer.back_s)) if consumer.back_s else None,
        "torn_noticed": consumer.torn_noticed, "age_p50_ms": consumer.age_ms(0.5), "age_p99_ms": consumer.age_ms(0.99),
        "memory_slope_worst_mb_h": max(one["slope_mb_h"] for one in processes.values()),
        "memory_slope_worst_high_mb_h": max(one["slope_high_mb_h"] for one in processes.values()),
        "memory_grown_worst_mb": max(one["rss_grown_mb"] for one in processes.values()),
        "descriptors_grown": max(one["descriptors_grown"] for one in processes.values()),
        "session_files_grown": max(files[len(files) // 2 :]) - max(files[: len(files) // 2]),
        "shared_memory_files": len(mapped), "processes": processes,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    if options.minutes < 4:
        parser.error(f"--minutes: expected at least 4, for a line through the minutes after the first fifth, got {options.minutes:g}")
    for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
        ctypes.CDLL(None).mallopt(parameter, 65536)
    show("soak", run(options.minutes, options.seed), options.json, BARS)


if __name__ == "__main__":
    main()
