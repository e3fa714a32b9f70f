"""Pictures in, boxes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from seesay import topics
from seesay.config import LIVE, between
from seesay.nodes.pictures import Cameras, Pictures
from seesay.nodes.prompting import PromptsInForce
from seesay.nodes.runtime import Node
from seesay.perception.device import Batches


@dataclass(frozen=True)
class Config(Cameras):
    """model: "embedded", a Hugging Face id, a local folder or a plug-in.

    threshold: least score in [0, 1]; negative takes the model's own. letterbox: an OWL-ViT sees pictures in their own shape.
    """

    model: str = "embedded"
    threshold: Annotated[float, between(-1, 1), LIVE] = -1.0
    letterbox: bool = False


def run(node: Node, config: Config) -> None:
    from seesay.nodes.recall import share
    from seesay.perception.detector import Detector
    from seesay.perception.engines import open_detector

    detector = open_detector(
        config.model, device=config.device, letterbox=config.letterbox, dtype=config.dtype, compiled=config.compiled
    )
    shipped = detector.threshold

    def adjust(config: Config) -> None:
        detector.threshold = config.threshold if config.threshold >= 0 else shipped

    adjust(config)
    node.on_change(adjust)
    batches = Batches(config.batch)
    if isinstance(detector, Detector):
        batches = detector.warm_up(config.batch)
        share(node, detector)
    prompts = PromptsInForce(node, detector.check)
    pictures = Pictures(node, config, batches)
    node.ready(detector.name)
    for seen in pictures.look(prompts, detector.detect_all):
        node.publish(topics.DETECTIONS, seen)
