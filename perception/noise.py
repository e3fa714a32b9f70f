"""How wrong a position can be: a noise model of RGB-D cameras, carried into the world to first order.

Errors of the pixels of one thing are taken as alike: cameras are wrong over whole patches (Khoshelham and Elberink, "Accuracy and
Resolution of Kinect Depth Data", 2012), so more pixels don't make a position surer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """Standard deviations of what a position is made from.

    depth_floor, depth_growth: of depth at z metres, `depth_floor + depth_growth * z**2` metres (the quadratic form of Nguyen, Izadi and
    Lovell, "Modeling Kinect Sensor Noise", 2012). pixels: of outlines, registration and intrinsics together. pose_m, pose_rad: of the
    camera's place and attitude, per axis.
    """

    depth_floor: float = 0.001
    depth_growth: float = 0.002
    pixels: float = 0.5
    pose_m: float = 0.001
    pose_rad: float = 0.001

    def depth(self, metres: float) -> float:
        """Standard deviation in metres of a depth."""
        return self.depth_floor + self.depth_growth * metres**2

    def of_point(self, point: Array, T_world_camera: Array, k: Array) -> Array:
        """`(3, 3)` covariance in square metres of a `(3,)` world point that was measured at one pixel and its depth."""
        rotation, arm = T_world_camera[:3, :3], point - T_world_camera[:3, 3]
        z = float(arm @ rotation[:, 2])
        along_ray, right, down = arm / z * self.depth(z), rotation[:, 0] * z / k[0, 0], rotation[:, 1] * z / k[1, 1]
        measured = np.outer(along_ray, along_ray) + self.pixels**2 * (np.outer(right, right) + np.outer(down, down))
        turned = self.pose_rad**2 * (arm @ arm * np.eye(3) - np.outer(arm, arm))
        covariance: Array = measured + turned + self.pose_m**2 * np.eye(3)
        return covariance

    def of_direction(self, direction: Array, k: Array) -> Array:
        """`(3, 3)` covariance in square radians of a `(3,)` unit direction, of rank 2: across it."""
        angle = np.hypot(self.pixels / np.sqrt(k[0, 0] * k[1, 1]), self.pose_rad)
        covariance: Array = angle**2 * (np.eye(3) - np.outer(direction, direction))
        return covariance


RGBD = Noise()
