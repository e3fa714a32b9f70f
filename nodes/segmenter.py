"""Pictures in, masks out."""

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

    threshold: least probability in a mask; negative takes the model's own.
    """

    model: str = "embedded"
    threshold: Annotated[float, between(-1, 1), LIVE] = -1.0


def run(node: Node, config: Config) -> None:
    from seesay.perception.engines import open_segmenter
    from seesay.perception.segmenter import Segmenter

    segmenter = open_segmenter(config.model, device=config.device, dtype=config.dtype, compiled=config.compiled)
    shipped = segmenter.threshold

    def adjust(config: Config) -> None:
        segmenter.threshold = config.threshold if config.threshold >= 0 else shipped

    batches = segmenter.warm_up(config.batch) if isinstance(segmenter, Segmenter) else Batches(config.batch)
    adjust(config)
    node.on_change(adjust)
    prompts = PromptsInForce(node, segmenter.check)
    pictures = Pictures(node, config, batches)
    node.ready(segmenter.name)
    for seen in pictures.look(prompts, segmenter.segment_all):
        node.publish(topics.MASKS, seen)
