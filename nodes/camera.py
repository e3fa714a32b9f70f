"""A camera, video, folder of pictures or stream on the bus, with its calibration and pose from a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from seesay import topics
from seesay.messages import Header, Image, Source
from seesay.nodes import calibration, launch_files
from seesay.nodes.runtime import Node


@dataclass(frozen=True)
class Config:
    """source: a camera number or device, a file, a folder or a stream's address. calibration: a TOML file with a table of this name.

    depth: "plane" says of every pixel that it lies on the table, for cameras without depth. rate_hz: pictures a second at most.
    """

    name: str = "front"
    source: str = "0"
    calibration: str = "calibration.toml"
    depth: Literal["none", "plane"] = "none"
    rate_hz: float = 5.0


def run(node: Node, config: Config) -> None:
    from seesay.perception.pictures import to_rgb
    from seesay.perception.sources import open_source

    camera = calibration.load(launch_files.find_calibration(config.calibration), config.name)
    images = node.bus.publisher(topics.IMAGE.of(camera=config.name))
    depth, info = topics.DEPTH.of(camera=config.name), topics.CAMERA_INFO.of(camera=config.name)
    size, plane = (0, 0), None
    with open_source(config.source) as source:
        node.publish(topics.TRANSFORMS, camera.transform(node.header(camera.parent)))
        node.ready(source.name)
        for sequence, (_, picture) in enumerate(zip(node.every(1 / config.rate_hz), source, strict=False), 1):
            stamp = picture.header.stamp_ns if node.clock.name == "monotonic" else node.clock.now_ns()
            header = Header(stamp, sequence, camera.frame_id, node.clock.name, Source(config.name, sequence, stamp))
            if size != (picture.height, picture.width):
                size = picture.height, picture.width
                intrinsics = camera.info(header, *size)
                plane = calibration.plane_depth(intrinsics.k, camera.T_world_camera, *size) if config.depth == "plane" else None
                node.publish(info, intrinsics)
            if plane is not None:
                node.publish(depth, Image(header, "32FC1", plane))
            with images.loan(*size, "rgb8", header) as pixels:
                to_rgb(picture, pixels)
    node.log.info("%s ended", config.source)
