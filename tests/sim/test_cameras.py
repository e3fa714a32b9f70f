"""Cameras as messages: depth, intrinsics and pose agree with one another."""

from __future__ import annotations

import numpy as np

from seesay.geometry import rigid, transform_points, unproject
from seesay.sim.cameras import Cameras
from seesay.sim.tasks import lay
from seesay.sim.world import World


def test_depth_of_the_table_lies_at_height_zero() -> None:
    world = World(lay(["red block"], 1))
    world.step(0.1)
    with Cameras(world) as cameras:
        assert cameras.names == ("front", "side")
        for name in cameras.names:
            view = cameras.look(name)
            assert view.image.data.shape == (240, 320, 3)
            assert view.image.header == view.depth.header == view.info.header
            assert view.image.header.frame_id == f"{name}_optical"
            assert view.image.header.stamp_ns == world.time_ns == view.transform.header.stamp_ns
            points = transform_points(rigid(view.transform.translation, view.transform.rotation), unproject(view.depth.data, view.info.k))
            near = points[(np.abs(points[..., 0]) < 0.3) & (np.abs(points[..., 1]) < 0.25) & (points[..., 2] < 0.005)]
            assert len(near) > 10_000
            assert np.abs(np.median(near[:, 2])) < 0.001
            top = np.median(points[points[..., 2] > 0.03], 0)
            assert np.abs(top - world.truth()["red block"].position)[:2].max() < 0.02
