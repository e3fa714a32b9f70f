"""Pictures of a MuJoCo model: colour, depth and true segmentation, with intrinsics and pose. Needs EGL or OSMesa."""

from __future__ import annotations

import os
from types import TracebackType

import mujoco
import numpy as np
from numpy.typing import NDArray

from seesay.errors import ConfigError
from seesay.sim.mjcf import HEIGHT, VISUAL, WIDTH


def intrinsics(fovy: float, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.float64]:
    """`(3, 3)` camera matrix in pixels of a vertical field of view in degrees; pixel centres lie at integer coordinates."""
    focal = height / 2 / np.tan(np.radians(fovy) / 2)
    return np.array([[focal, 0, width / 2 - 0.5], [0, focal, height / 2 - 0.5], [0, 0, 1]])


def optical_pose(position: NDArray[np.float64], rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(4, 4)` T_world_optical (x right, y down, z forward) of a MuJoCo camera, whose rotation has y up and looks along -z."""
    pose = np.eye(4)
    pose[:3, :3] = rotation.reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
    pose[:3, 3] = position
    return pose


class Renderer:
    """Draws one model's cameras. Bound to the thread that made it; close it. Raises ConfigError without an OpenGL library."""

    def __init__(self, model: mujoco.MjModel, height: int = HEIGHT, width: int = WIDTH) -> None:
        if os.environ.get("MUJOCO_GL") == "disable":
            raise ConfigError(
                "expected libEGL or libOSMesa for the simulator's pictures, found neither: "
                "apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri"
            )
        self._model = model
        self._renderer = mujoco.Renderer(model, height, width)
        self._options = mujoco.MjvOption()
        self._options.geomgroup[:] = 0
        self._options.geomgroup[[0, VISUAL]] = 1

    def colour(self, data: mujoco.MjData, camera: str | int) -> NDArray[np.uint8]:
        """`(H, W, 3) uint8` RGB."""
        self._renderer.update_scene(data, camera, self._options)
        return np.asarray(self._renderer.render(), np.uint8)

    def depth(self, data: mujoco.MjData, camera: str | int) -> NDArray[np.float32]:
        """`(H, W) float32` metres along the optical axis."""
        self._renderer.enable_depth_rendering()
        try:
            self._renderer.update_scene(data, camera, self._options)
            return np.asarray(self._renderer.render(), np.float32)
        finally:
            self._renderer.disable_depth_rendering()

    def bodies(self, data: mujoco.MjData, camera: str | int) -> NDArray[np.int32]:
        """`(H, W) int32` id of the root body seen at each pixel, -1 for the background. True labels: for training and tests only."""
        self._renderer.enable_segmentation_rendering()
        try:
            self._renderer.update_scene(data, camera, self._options)
            ids = np.asarray(self._renderer.render())
        finally:
            self._renderer.disable_segmentation_rendering()
        geom = np.where(ids[..., 1] == int(mujoco.mjtObj.mjOBJ_GEOM), ids[..., 0], -1)
        root = self._model.body_rootid[self._model.geom_bodyid[np.maximum(geom, 0)]]
        return np.where(geom >= 0, root, -1).astype(np.int32)

    def close(self) -> None:
        self._renderer.close()

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
