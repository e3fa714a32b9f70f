"""The simulator's RGB-D cameras as messages: pictures, depth, intrinsics and poses, stamped with the simulated time."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

import numpy as np

from seesay.geometry import quaternion_from_matrix
from seesay.messages import CameraInfo, Header, Image, Source, Transform
from seesay.sim.render import Renderer, intrinsics, optical_pose
from seesay.sim.world import World

FAR = 5.9
"""Depth in metres from which on a pixel shows the background and is invalid."""


@dataclass(frozen=True, eq=False)
class View:
    """What one camera gives at one moment; all four carry the same stamp. `transform` is the optical frame's pose in the world."""

    image: Image
    depth: Image
    info: CameraInfo
    transform: Transform


class Cameras:
    """Both cameras of a world. Bound to the thread that made it (OpenGL contexts are); close it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._renderer = Renderer(world.model)
        self._sequences = dict.fromkeys(world.scene.cameras, 0)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the cameras; the optical frame of `front` is `front_optical`."""
        return tuple(self._sequences)

    def look(self, camera: str) -> View:
        """Take a picture now: `(H, W, 3) uint8` rgb8 and `(H, W) float32` metres along the optical axis, NaN for the background."""
        data = self._world.data
        self._sequences[camera] += 1
        sequence, stamp, frame = self._sequences[camera], self._world.time_ns, f"{camera}_optical"
        header = Header(stamp, sequence, frame, "sim", Source(camera, sequence, stamp))
        colour, depth = self._renderer.colour(data, camera).copy(), self._renderer.depth(data, camera).copy()
        depth[depth > FAR] = np.nan
        height, width = depth.shape
        index = self._world.model.camera(camera).id
        pose = optical_pose(data.cam_xpos[index], data.cam_xmat[index])
        return View(
            Image(header, "rgb8", colour),
            Image(header, "32FC1", depth),
            CameraInfo(header, height, width, intrinsics(self._world.scene.cameras[camera].fovy, height, width)),
            Transform(
                Header(stamp, sequence, "world", "sim"), frame, pose[:3, 3].copy(), quaternion_from_matrix(pose[:3, :3]), static=True
            ),
        )

    def close(self) -> None:
        """Free the OpenGL context."""
        self._renderer.close()

    def __enter__(self) -> Cameras:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
