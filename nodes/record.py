"""Writes what flows into a recording. It only subscribes: when the disk is full it says so, and everything else runs on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from seesay.config import between
from seesay.errors import BagError
from seesay.messages import Trigger, TriggerReply
from seesay.nodes.effective import EffectiveParameters
from seesay.nodes.runtime import Node
from seesay.services import SNAPSHOT

SNAPSHOT_S = 60.0


@dataclass(frozen=True)
class Config:
    """path: the folder to make, by default bag_DATE. topics, without: names or patterns as in a shell; by default what the table of topics
    marks as recorded. max_bytes, max_seconds: when to begin the next file, 0 = never. snapshot: keep the last memory_mb in memory until
    the service NODE/snapshot asks for them. stay: after a failure, wait to be stopped instead of ending.
    """

    path: str = ""
    topics: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    pictures: Literal["raw", "png", "jpeg"] = "raw"
    quality: Annotated[int, between(1, 100)] = 90
    max_bytes: int = 0
    max_seconds: float = 0.0
    snapshot: bool = False
    memory_mb: Annotated[int, between(1, 65536)] = 100
    stay: bool = True


def run(node: Node, config: Config) -> None:
    from seesay.bag.recorder import Choice, Recorder

    path = Path(config.path or time.strftime("bag_%Y_%m_%d-%H_%M_%S")).absolute()
    choice = Choice(config.topics, config.without)
    limits = (config.max_bytes, config.max_seconds, config.memory_mb << 20 if config.snapshot else 0)

    def snapshot(request: Trigger) -> TriggerReply:
        try:
            return TriggerReply(request.header, True, str(recorder.ask_snapshot(SNAPSHOT_S)))
        except BagError as error:
            return TriggerReply(request.header, False, str(error))

    node.log.info("getting ready to record")
    try:
        recorder = Recorder(node.bus, node.clock, path, choice, config.pictures, config.quality, *limits)
        where = f"snapshots of {path}" if config.snapshot else str(path)
        node.ready(where)
        node.log.info("recording %s: %d topics so far%s", where, len(recorder.topics), _hindrance(node))
        node.bus.service(SNAPSHOT.of(node=node.name), snapshot)
        with EffectiveParameters(node.bus, node.name, node.stop) as effective:
            while not node.stop.is_set():
                node.active.wait()
                recorder.configure(effective.known())
                recorder.step(0.1)
        node.log.info("%s", recorder.close())
    except BagError as error:
        if not config.stay:
            raise
        node.log.error("%s", error)
        node.report("failed", str(error))
        node.stop.wait()


def _hindrance(node: Node) -> str:
    return "; nothing before the simulated clock begins" if node.clock.now_ns() <= 0 else ""
