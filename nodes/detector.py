"""Pictures in, boxes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from seesay import topics
from seesay.config import LIVE, between
from seesay.nodes.prompting import PromptsInForce
from seesay.nodes.runtime import Node


@dataclass(frozen=True)
class Config:
    """model: "embedded", a Hugging Face id, a local folder or a plug-in.

    threshold: least score in [0, 1]; negative takes the model's own.
    """

    model: str = "embedded"
    threshold: Annotated[float, between(-1, 1), LIVE] = -1.0
    cameras: tuple[str, ...] = ("front",)


def run(node: Node, config: Config) -> None:
    from seesay.nodes.recall import share
    from seesay.perception.detector import Detector
    from seesay.perception.engines import open_detector

    detector = open_detector(config.model)
    shipped = detector.threshold

    def adjust(config: Config) -> None:
        detector.threshold = config.threshold if config.threshold >= 0 else shipped

    adjust(config)
    node.on_change(adjust)
    if isinstance(detector, Detector):
        share(node, detector)
    prompts = PromptsInForce(node, detector.check)
    pictures = [node.bus.subscriber(topics.IMAGE.of(camera=name)) for name in config.cameras]
    node.ready(detector.name)
    while not node.stop.is_set():
        node.wait([prompts.mailbox, *pictures], 0.5)
        words = prompts.newest()
        for mailbox in pictures:
            picture = mailbox.take(0)
            if picture is not None and words is not None:
                node.publish(topics.DETECTIONS, detector.detect(picture.message, words))
