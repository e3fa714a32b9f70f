"""Keeps what the detector made of past pictures, and answers where things were seen: the service `ask`."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from seesay import topics
from seesay.config import between
from seesay.errors import MessageError, TransformError
from seesay.geometry import TransformBuffer, quaternion_from_matrix
from seesay.messages import CameraInfo, Header, Image, Remembered, Source, Transform
from seesay.nodes.join import source_of
from seesay.nodes.runtime import Node

WAITING = 64


@dataclass(frozen=True)
class Config:
    """megabytes: budget for what is remembered. detector: the node that encodes prompts. world: frame of the answers' positions.
    folder: where to keep it for the next start, within the same budget; empty: it is not kept."""

    cameras: tuple[str, ...] = ("front",)
    megabytes: Annotated[float, between(0.1, 65536)] = 64.0
    detector: str = "detector"
    world: str = "world"
    folder: str = ""


def run(node: Node, config: Config) -> None:
    from seesay.nodes.recall import Recall
    from seesay.perception.memory import VisualMemory, shrink

    memory = VisualMemory(config.megabytes, Path(config.folder).expanduser() if config.folder else None)
    frames = TransformBuffer(tolerance_s=0.1)
    transforms, codes = node.subscribe(topics.TRANSFORMS), node.subscribe(topics.EMBEDDINGS)
    infos = {name: node.subscribe(topics.CAMERA_INFO.of(camera=name)) for name in config.cameras}
    depths = {name: node.subscribe(topics.DEPTH.of(camera=name)) for name in config.cameras}
    waiting: OrderedDict[Source, tuple[Image, CameraInfo, Transform]] = OrderedDict()

    def place(camera: str, depth: Image) -> None:
        """Keep the depth for its picture, which comes later as a rule: the detector takes its time."""
        source, info = source_of(depth.header), infos[camera].latest()
        if info is None:
            return
        frame = info.message.header.frame_id
        try:
            pose = frames.lookup(config.world, frame, source.stamp_ns)
            small, calibration = shrink(depth, info.message)
        except (TransformError, MessageError) as error:
            node.log.debug("picture %d of %s is remembered without positions: %s", source.sequence, camera, error)
            return
        header = Header(source.stamp_ns, frame_id=config.world, clock=depth.header.clock)
        waiting[source] = small, calibration, Transform(header, frame, pose[:3, 3], quaternion_from_matrix(pose[:3, :3]))
        known = memory.get(source)
        if known is not None:
            memory.add(Remembered(known.header, known.embeddings, *waiting.pop(source)))
        while len(waiting) > WAITING:
            waiting.popitem(last=False)

    Recall(node, memory, config.detector, config.world)
    node.ready(f"{config.megabytes:g} MB, {len(memory)} pictures from before" if config.folder else f"{config.megabytes:g} MB")
    while not node.stop.is_set():
        node.wait([codes, *depths.values()], 0.2)
        for transform in transforms.take_all():
            frames.add(transform.message)
        for camera, mailbox in depths.items():
            for depth in mailbox.take_all():
                place(camera, depth.message)
        for code in codes.take_all():
            seen = code.message
            memory.add(Remembered(seen.header, seen, *waiting.pop(source_of(seen.header), ())))
