"""Publishers and subscribers of pictures, killed by SIGKILL in random order under load: is a picture ever torn, is anything left behind?

    python -m benchmarks.chaos --json                  # 200 kills, some minutes
    python -m benchmarks.chaos --kills 20

Two publishers and two subscribers are processes of their own; this process subscribes too and outlives them all. A picture holds one value
everywhere, which follows from its number, so that a picture that is half one and half another shows. Pictures are lent and copied in
turns. A subscriber looks at one in place or copies it, in turns, and checks all pixels of what it was told is whole. At the end each
publisher is stopped by SIGSTOP until this process knows, and goes on, five times; and what the killed left is gone soon. A second part
kills the children of a supervisor, which starts them again (`chaos_supervised`).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import chaos_supervised
from benchmarks.common import show
from seesay.bus import Bus, Received, Subscriber, make_session_directory
from seesay.messages import Header, Image
from seesay.topics import IMAGE, Topic

HEIGHT, WIDTH, PERIOD_S = 480, 640, 0.004
PUBLISHERS, SUBSCRIBERS = ("left", "right"), ("first", "second")
WAIT_S = 30.0
BARS = {
    "torn_delivered": ("<=", 0), "pictures": (">=", 10_000), "back_median_s": ("<=", 1.0), "files_left": ("<=", 0),
    "descriptors_grown": ("<=", 0), "unnoticed": ("<=", 0), "memory_grown_mb": ("<=", 32.0),
    "stop_noticed_max_s": ("<=", 2.5), "stop_healed_max_s": ("<=", 0.5), "supervised_back_median_s": ("<=", 1.0),
    "supervised_torn": ("<=", 0), "supervised_lost": ("<=", 0), "supervised_files_left": ("<=", 0),
}  # fmt: skip


def topic_of(camera: str) -> Topic[Image]:
    return IMAGE.of(camera=camera)


def value_of(sequence: int, life: int) -> int:
    return (sequence * 7 + life * 31) % 251


def publish(session: str, camera: str, life: int) -> None:
    """Send until killed."""
    with Bus(session, camera) as bus:
        publisher, sequence = bus.publisher(topic_of(camera)), 0
        while True:
            sequence += 1
            header, value = Header(life, sequence), value_of(sequence, life)
            if sequence % 2:
                with publisher.loan(HEIGHT, WIDTH, "rgb8", header) as pixels:
                    pixels[...] = value
            else:
                publisher.send(Image(header, "rgb8", np.full((HEIGHT, WIDTH, 3), value, np.uint8)))
            time.sleep(PERIOD_S)


class Checker:
    """Takes pictures of both publishers and counts them; `torn` are those that were delivered as whole and are not."""

    def __init__(self, bus: Bus) -> None:
        self._inputs: list[Subscriber[Image]] = [bus.subscriber(topic_of(camera)) for camera in PUBLISHERS]
        self.pictures = self.torn = self.noticed = 0
        self.lives: dict[str, int] = {}

    def check(self) -> None:
        """Take one picture of each publisher, if there is one soon."""
        for subscriber in self._inputs:
            received = subscriber.take(0.05, view=self.pictures % 2 == 1)
            if received is not None:
                self._look(received)

    def _look(self, received: Received[Image]) -> None:
        image = received.message
        low, high = int(image.data.min()), int(image.data.max())
        if not received.intact():
            self.noticed += 1
            return
        self.torn += not low == high == value_of(image.header.sequence, image.header.stamp_ns)
        self.pictures += 1
        self.lives[received.publisher] = image.header.stamp_ns

    def alive(self, camera: str) -> bool:
        return self._inputs[PUBLISHERS.index(camera)].stats.alive

    def noticed_by_bus(self) -> int:
        return self.noticed + sum(subscriber.stats.torn for subscriber in self._inputs)


def subscribe(session: str, name: str, _: int) -> None:
    """Check until killed; a line for each round tells how many pictures were whole and how many not."""
    with Bus(session, name) as bus:
        checker = Checker(bus)
        while True:
            checker.check()
            print(checker.pictures, checker.torn, flush=True)


class Child:
    """A process that is killed and started again; `told` is what the subscriber in it said last, summed over its lives."""

    def __init__(self, session: Path, role: Callable[[str, str, int], None], name: str) -> None:
        self.name, self.role, self.life = name, role, 0
        self._session = session
        self.pictures = self.torn = 0
        self.start()

    def start(self) -> None:
        self.life += 1
        command = [sys.executable, "-m", "benchmarks.chaos", self.role.__name__, str(self._session), self.name, str(self.life)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
        self.first = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout is not None
        before, last = (self.pictures, self.torn), (0, 0)
        with self.process.stdout as lines:
            for line in lines:
                words = line.split()
                if len(words) == 2 and line.endswith(b"\n"):
                    last = int(words[0]), int(words[1])
                    self.pictures, self.torn = before[0] + last[0], before[1] + last[1]
                    if last[0]:
                        self.first.set()


def run(kills: int, seed: int = 0, pause_s: float = 0.3, stops: int = 5) -> dict[str, Any]:
    """Kill and restart `kills` times, then stop each publisher `stops` times; return the figures."""
    session = make_session_directory()
    chance = random.Random(seed)
    own = psutil.Process()
    back_s: list[float] = []
    unnoticed = 0
    children: list[Child] = []
    try:
        with Bus(session, "survivor") as bus:
            checker = Checker(bus)
            children = [Child(session, publish, name) for name in PUBLISHERS] + [Child(session, subscribe, name) for name in SUBSCRIBERS]
            _run_until(checker, lambda: all(_works(child, checker) for child in children), WAIT_S)
            descriptors, memory = own.num_fds(), own.memory_info().rss
            for _ in range(kills):
                child = chance.choice(children)
                child.kill()
                _run_until(checker, lambda: False, pause_s * chance.random())
                began = time.monotonic()
                child.start()
                if _run_until(checker, partial(_works, child, checker), WAIT_S):
                    back_s.append(time.monotonic() - began)
                else:
                    unnoticed += 1
            stopped = [_stop(child, checker) for _ in range(stops) for child in children if child.role is publish]
            grown = own.num_fds() - descriptors
            memory_mb = (own.memory_info().rss - memory) / 2**20
            for child in children:
                child.kill()
            _run_until(checker, lambda: not any(session.iterdir()), WAIT_S)
            files = list(session.iterdir())
    finally:
        for child in children:
            child.kill()
        shutil.rmtree(session)
    return {
        "kills": kills, "pictures": checker.pictures + sum(child.pictures for child in children),
        "torn_delivered": checker.torn + sum(child.torn for child in children), "torn_noticed": checker.noticed_by_bus(),
        "back_median_s": statistics.median(back_s) if back_s else None, "back_max_s": max(back_s, default=None), "unnoticed": unnoticed,
        "stops": len(stopped), "stop_noticed_max_s": max(noticed for noticed, _ in stopped),
        "stop_healed_max_s": max(healed for _, healed in stopped),
        "descriptors_grown": grown, "memory_grown_mb": memory_mb, "files_left": len(files),
    }  # fmt: skip


def _stop(child: Child, checker: Checker) -> tuple[float, float]:
    """How many seconds it takes the bus to say that a publisher which SIGSTOP holds is not alive, and after SIGCONT that it is."""
    seconds = []
    for order, alive in ((signal.SIGSTOP, False), (signal.SIGCONT, True)):
        child.process.send_signal(order)
        began = time.monotonic()
        _run_until(checker, lambda alive=alive: checker.alive(child.name) is alive, WAIT_S)   # type: ignore[misc]
        seconds.append(time.monotonic() - began)
    return seconds[0], seconds[1]


def _works(child: Child, checker: Checker) -> bool:
    return checker.lives.get(child.name) == child.life if child.role is publish else child.first.is_set()


def _run_until(checker: Checker, condition: Callable[[], bool], seconds: float) -> bool:
    """Check pictures until `condition` holds or the time is up; tell whether it holds."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        checker.check()
    return condition()


def main() -> None:
    roles = {"publish": publish, "subscribe": subscribe}
    if sys.argv[1:2] and sys.argv[1] in roles:
        roles[sys.argv[1]](sys.argv[2], sys.argv[3], int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    figures = run(options.kills, options.seed) | chaos_supervised.run(options.kills // 4, options.seed)
    show("chaos", figures, options.json, BARS)


if __name__ == "__main__":
    main()
