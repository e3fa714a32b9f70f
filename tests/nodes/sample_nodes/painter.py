"""A camera that sees noise ten times a second."""

from dataclasses import dataclass

import numpy as np

from seesay.messages import Image
from seesay.nodes.runtime import Node
from seesay.topics import IMAGE


@dataclass(frozen=True)
class Config:
    pass


def run(node: Node, config: Config) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    node.ready()
    for _ in node.every(0.1):
        node.publish(IMAGE.of(camera="front"), Image(node.header("camera"), "rgb8", pixels.copy()))
