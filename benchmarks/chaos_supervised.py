"""The part of `benchmarks.chaos` in which a supervisor starts what is killed again: cameras and watchers, in random order."""

from __future__ import annotations

import os
import random
import shutil
import signal
import statistics
import time
from typing import Any

from benchmarks.soak_node import whole
from seesay.bus import Bus, make_session_directory
from seesay.config import Launch, NodeSpec
from seesay.messages import ProcessStatus
from seesay.nodes.supervisor import Supervisor
from seesay.topics import IMAGE

CAMERAS, WATCHERS = ("left", "right"), ("first", "second")
WAIT_S = 60.0


def run(kills: int, seed: int = 0) -> dict[str, Any]:
    """Kill `kills` children of a supervisor, each when all are ready; return the figures.

    back: seconds from the start of the successor's process to the first picture that it sends, or to its being ready.
    """
    session = make_session_directory()
    chance, back_s, torn, lost = random.Random(seed), list[float](), 0, 0
    specs = [_spec(name, "camera", (name,)) for name in CAMERAS] + [_spec(name, "watcher", CAMERAS) for name in WATCHERS]
    try:
        with Bus(session, "survivor") as bus, Supervisor(Launch("chaos", nodes=tuple(specs)), session) as supervisor:
            supervisor.wait_ready(WAIT_S)
            pictures = {name: bus.subscriber(IMAGE.of(camera=name)) for name in CAMERAS}
            for _ in range(kills):
                child = _state(supervisor, chance.choice(specs).name)
                os.kill(child.pid, signal.SIGKILL)
                end, started = time.monotonic() + WAIT_S, 0.0
                while time.monotonic() < end:
                    now = _state(supervisor, child.node)
                    if not started and now.pid not in (0, child.pid):
                        started = time.monotonic()
                    seen = now.state == "ready" and child.node in WATCHERS
                    for name, subscriber in pictures.items():
                        received = subscriber.take(0.005, view=True)
                        if received is not None:
                            torn += not whole(received.message) and received.intact()
                            seen = seen or (name == child.node and received.message.header.stamp_ns > started * 1e9)
                    if started and seen:
                        back_s.append(time.monotonic() - started)
                        break
                else:
                    lost += 1
            lost += sum(" is torn" in path.read_text(encoding="utf-8") for path in (session / "logs").iterdir())
        files = [path.name for path in session.iterdir() if path.name != "logs"]
    finally:
        shutil.rmtree(session)
    return {
        "supervised_kills": kills, "supervised_torn": torn, "supervised_lost": lost, "supervised_files_left": len(files),
        "supervised_back_median_s": statistics.median(back_s) if back_s else None, "supervised_back_max_s": max(back_s, default=None),
    }  # fmt: skip


def _spec(name: str, role: str, cameras: tuple[str, ...]) -> NodeSpec:
    """A node that is started again however often it is killed, after the shortest pause."""
    parameters = {"role": role, "cameras": cameras, "rate_hz": 60.0}
    return NodeSpec(name, "benchmarks.soak_node", threads=1, max_restarts=10_000, restart_window_s=0.5, parameters=parameters)


def _state(supervisor: Supervisor, name: str) -> ProcessStatus:
    return next(one for one in supervisor.nodes() if one.node == name)
