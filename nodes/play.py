"""Plays a recording as if it happened now; with `clock`, nodes on simulated time live in the time of the recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from seesay.config import between
from seesay.nodes.runtime import Node


@dataclass(frozen=True)
class Config:
    """path: a folder or a .mcap file. topics: names or patterns as in a shell; by default all but commands and what nodes say of
    themselves. remap: names in the recording to names here. delay_s: what subscribers have to find the publishers before it begins.
    """

    path: str
    topics: tuple[str, ...] = ()
    rate: Annotated[float, between(1e-3, 1e3)] = 1.0
    clock: bool = False
    loop: bool = False
    start_offset_s: Annotated[float, between(0, 1e9)] = 0.0
    delay_s: Annotated[float, between(0, 3600)] = 1.0
    remap: dict[str, str] = field(default_factory=dict)


def run(node: Node, config: Config) -> None:
    from seesay.bag.player import How, Player

    how = How(config.rate, config.clock, config.start_offset_s, config.topics, config.remap)
    player = Player(node.bus, config.path, how)
    player.open()
    for reason in player.unread.values():
        node.log.warning("%s", reason)
    node.ready(config.path)
    node.stop.wait(config.delay_s)
    while not node.stop.is_set():
        player.play(node.stop)
        node.log.info("played %s", ", ".join(f"{count} of {name}" for name, count in sorted(player.published.items())) or "nothing")
        if not config.loop:
            break
