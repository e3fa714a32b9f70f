"""The nodes of benchmarks.soak that are killed: a camera whose pictures tell whether they are whole, and a watcher who looks at them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from seesay.messages import Header, Image
from seesay.nodes.runtime import Node
from seesay.topics import IMAGE

HEIGHT, WIDTH = 480, 640


@dataclass(frozen=True)
class Config:
    """role: a camera sends pictures of one value each, at rate_hz; a watcher looks at those of `cameras`."""

    role: Literal["camera", "watcher"]
    cameras: tuple[str, ...]
    rate_hz: float = 15.0


def whole(image: Image) -> bool:
    """Whether a picture is the one that was sent."""
    return int(image.data.min()) == int(image.data.max()) == image.header.sequence % 251


def run(node: Node, config: Config) -> None:
    (_send if config.role == "camera" else _watch)(node, config)


def _send(node: Node, config: Config) -> None:
    publishers = [node.bus.publisher(IMAGE.of(camera=name)) for name in config.cameras]
    node.ready()
    sequence, due = 0, time.monotonic()
    while not node.stop.wait(max(0.0, due - time.monotonic())):
        sequence, due = sequence + 1, max(due + 1 / config.rate_hz, time.monotonic())
        for publisher in publishers:
            with publisher.loan(HEIGHT, WIDTH, "rgb8", Header(node.clock.now_ns(), sequence, clock=node.clock.name)) as pixels:
                pixels[...] = sequence % 251


def _watch(node: Node, config: Config) -> None:
    inputs = [node.bus.subscriber(IMAGE.of(camera=name)) for name in config.cameras]
    node.ready()
    while not node.stop.is_set():
        for mailbox in node.wait(inputs, 0.5):
            received = mailbox.take(0, view=True)
            if received is not None and not whole(received.message) and received.intact():
                node.log.error("picture %d of %s is torn", received.message.header.sequence, mailbox.topic.name)
