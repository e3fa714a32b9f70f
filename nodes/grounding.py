"""Boxes, masks, depth and the camera's pose at the stamp of the picture in; objects with positions and identities out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seesay import topics
from seesay.errors import MessageError, TransformError
from seesay.geometry import TransformBuffer
from seesay.messages import CameraInfo
from seesay.nodes.join import Bundle, Join
from seesay.nodes.runtime import Node
from seesay.pubsub import Subscriber


@dataclass(frozen=True)
class Config:
    """world: the frame of the objects' positions. patience: for how many later results to wait for the masks of a picture."""

    cameras: tuple[str, ...] = ("front",)
    world: str = "world"
    patience: int = 1


def run(node: Node, config: Config) -> None:
    from seesay.perception.association import ObjectTracker
    from seesay.perception.grounding import View, ground

    tracker, join, frames = ObjectTracker(config.world), Join(config.patience), TransformBuffer(tolerance_s=0.1)
    transforms, arm = node.subscribe(topics.TRANSFORMS), node.subscribe(topics.ARM_STATE)
    infos = {name: node.subscribe(topics.CAMERA_INFO.of(camera=name)) for name in config.cameras}
    depths = [node.subscribe(topics.DEPTH.of(camera=name)) for name in config.cameras]
    results: list[Subscriber[Any]] = [*depths, node.subscribe(topics.DETECTIONS), node.subscribe(topics.MASKS)]
    node.bus.publisher(topics.OBJECTS)   # now, so that nobody misses the first ones

    def place(bundle: Bundle) -> None:
        """The figure: ground the results of one picture, tell which object is which, publish."""
        info = _info(infos, bundle.source.camera)
        if bundle.detections is None or bundle.depth is None or info is None:
            return
        try:
            pose = frames.lookup(config.world, info.header.frame_id, bundle.source.stamp_ns)
            sights = ground(bundle.detections, bundle.masks, bundle.depth, info, pose)
        except (TransformError, MessageError) as error:
            node.log.warning("picture %d of %s left out: %s", bundle.source.sequence, bundle.source.camera, error)
            return
        node.publish(topics.OBJECTS, tracker.update(sights, bundle.depth.header, View(bundle.depth, bundle.depth, info, pose)))

    node.ready()
    while not node.stop.is_set():
        node.wait(results, 0.2)
        for transform in transforms.take_all():
            frames.add(transform.message)
        for received in (received for mailbox in results for received in mailbox.take_all()):
            if join.add(received.message):
                node.log.info("the clock of the pictures was set back: what was seen before is forgotten")
                tracker.reset()
        state = arm.take(0)
        if state is not None:
            tracker.gripper(state.message)
        for bundle in {bundle.source.camera: bundle for bundle in join.ready()}.values():   # of each camera the newest
            place(bundle)


def _info(infos: dict[str, Subscriber[CameraInfo]], camera: str) -> CameraInfo | None:
    newest = infos[camera].latest() if camera in infos else None
    return newest.message if newest else None
