"""The camera and the consumer of the frame benchmark, the same for every middleware; needs numpy and Linux's /proc, nothing else.

A picture carries its number and stamp (CLOCK_MONOTONIC) in its first 16 bytes. The stamp is taken before the picture is copied into the
transport, or, where the camera writes into the transport's memory (`in_place`), when it is complete there. `view` ends when the consumer
can read the picture as an array, `copied` when all its bytes are in a buffer of the consumer's.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import struct
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

SIDES = (1080, 1920)
SIZE = 3 * SIDES[0] * SIDES[1]
_HEAD = struct.Struct("<qq")
_WARM_UP, _END = -1, -2
_WORK_S = (0.170, 0.250)
_SETTLED_S = 5.0


@dataclass(frozen=True)
class Task:
    """What one camera and its consumers do. name: the middleware; depth: the queue to ask it for; slow: a consumer that takes 170 to 250 ms
    a picture; folder: for results; shared: a folder that all cameras of the run have in common."""

    name: str
    folder: str
    shared: str
    frames: int = 300
    fps: float = 30.0
    in_place: bool = False
    slow: bool = False
    depth: int = 2
    consumers: int = 1

    def save(self) -> None:
        (Path(self.folder) / "task.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, folder: str) -> Task:
        return cls(**json.loads((Path(folder) / "task.json").read_text()))


class Camera:
    """Sends pictures: until every consumer is there, to warm up, then as many as wanted, then end marks."""

    def __init__(self, task: Task) -> None:
        self._task = task
        picture = np.random.default_rng(0).integers(0, 255, SIZE, dtype=np.uint8)
        self._pictures = [picture.copy() for _ in range(8)]
        self._sent = 0
        self._number = _WARM_UP

    def stamp(self, pixels: Any) -> None:
        """Write number and time into a picture, which is then complete."""
        _HEAD.pack_into(pixels, 0, self._number, time.monotonic_ns())

    def drive(self, send: Callable[[Pixels], object]) -> None:
        """Run with `send`, which is given a flat `(SIZE,)` picture; in place it takes none of its bytes and calls `stamp` itself.

        A transport that holds the camera up gets no more than 1.2 times the time.
        """
        folder = Path(self._task.folder)
        while len(list(folder.glob("ready*"))) < self._task.consumers:
            self._send(send, _WARM_UP)
            time.sleep(0.1)
        for _ in range(10):
            self._send(send, _WARM_UP)
            time.sleep(1 / 30)
        own, everyone, begin, sent = time.process_time(), session_cpu_s(), time.monotonic(), 0
        while sent < self._task.frames and time.monotonic() - begin < 1.2 * self._task.frames / self._task.fps:
            self._send(send, sent)
            sent += 1
            time.sleep(max(0.0, begin + sent / self._task.fps - time.monotonic()))
        seconds = time.monotonic() - begin
        own, everyone = time.process_time() - own, session_cpu_s() - everyone
        result = {"sent_hz": sent / seconds, "camera_cpu_s": own, "cpu_s": everyone, "processes": len(session_processes())}
        (folder / "camera.json").write_text(json.dumps(result))
        time.sleep(0.3)
        for _ in range(10):
            self._send(send, _END)
            time.sleep(0.05)

    def _send(self, send: Callable[[Pixels], object], number: int) -> None:
        pixels = self._pictures[self._sent % len(self._pictures)]
        self._sent += 1
        self._number = number
        self.stamp(pixels)
        send(pixels)


class Sink:
    """The consumer: called with each picture, it says True after the last one, when its result has been written."""

    def __init__(self, task: Task, number: str) -> None:
        self._task = task
        self._number = number
        self._own = np.zeros(SIZE, np.uint8)
        self._views: list[float] = []
        self._copies: list[float] = []
        self._memory: list[int] = []
        self._chance = random.Random(0)
        self._begin = 0.0
        self.torn = 0
        self.done = False

    def __call__(self, pixels: Any, intact: Callable[[], bool] = lambda: True) -> bool:
        now = time.monotonic_ns()
        number, stamp = _HEAD.unpack_from(pixels, 0)
        if number == _WARM_UP or self.done:
            (Path(self._task.folder) / f"ready{self._number}").touch()
            return self.done
        self._begin = self._begin or time.monotonic()
        if number == _END or (self._task.slow and time.monotonic() - self._begin > self._task.frames / self._task.fps):
            self._report()
            return True
        np.copyto(self._own, pixels)
        if not intact():
            self.torn += 1
            return False
        self._views.append((now - stamp) / 1e3)
        self._copies.append((time.monotonic_ns() - stamp) / 1e3)
        if self._task.slow:
            if time.monotonic() - self._begin > min(_SETTLED_S, self._task.frames / self._task.fps / 4):
                self._memory.append(session_rss())
            time.sleep(self._chance.uniform(*_WORK_S))
        return False

    def _report(self) -> None:
        result: dict[str, Any] = {"got": len(self._views), "torn": self.torn}
        for name, values in (("view", self._views), ("copied", self._copies)):
            for mark in (50, 99, 100):
                result[f"{name}_p{mark}_us"] = float(np.percentile(values, mark)) if values else None
        if self._memory:
            result["rss_growth_mb"] = (max(self._memory) - self._memory[0]) / 2**20
        (Path(self._task.folder) / f"sink{self._number}.json").write_text(json.dumps(result))
        self.done = True


def session_processes(session: int | None = None) -> list[int]:
    """The processes of a session, by default this process's: both ends of a run, their launcher, and a daemon where there is one."""
    wanted = os.getsid(0) if session is None else session
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if (_stat(pid) or [""] * 4)[3] == str(wanted)]


def session_cpu_s() -> float:
    """Processor time of this session's processes so far, of their threads that have ended too.

    By Linux's clock of each process (clock_getcpuclockid(3)), to the nanosecond: /proc counts in hundredths of a second.
    """
    total = 0.0
    for pid in session_processes():
        with contextlib.suppress(OSError):
            total += time.clock_gettime(~pid << 3 | 2)
    return total


def session_rss() -> int:
    """Resident bytes of this session's processes."""
    return sum(int(fields[21]) for pid in session_processes() if (fields := _stat(pid))) * os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int) -> list[str] | None:
    """What /proc/PID/stat says after the program's name: state first."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
