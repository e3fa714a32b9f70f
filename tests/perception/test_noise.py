"""The covariance of positions and bearings against what happens when the noise is drawn."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from seesay.perception.grounding import Sights, ground
from seesay.perception.noise import Noise
from tests.perception import raycast as rc

CAMERA = rc.Camera("side", -28, 53, 0.83)
THING = rc.ball("ball", 0.08, -0.05)
NONE = Noise(0, 0, 0, 0, 0)
DRAWS = 60
SOURCES = {   # and the number of directions in which each one moves a position
    "depth": (replace(NONE, depth_floor=0.003, depth_growth=0.005), 1),
    "pixels": (replace(NONE, pixels=3.0), 2),
    "place": (replace(NONE, pose_m=0.006), 3),
    "attitude": (replace(NONE, pose_rad=0.008), 2),
    "all": (Noise(), 3),
}


def draws(noise: Noise, blind: bool = False) -> list[Sights]:
    """The scene as a camera with such errors sees it, again and again."""
    rng = np.random.default_rng(5)
    depth, ids = rc.cast([THING], CAMERA)
    found, masks = rc.perfect([THING], ids, CAMERA)
    seen = []
    for _ in range(DRAWS):
        measured = (depth + rng.normal() * (noise.depth_floor + noise.depth_growth * depth**2)).astype(np.float32)
        k, pose = CAMERA.k.copy(), CAMERA.pose
        k[:2, 2] += rng.normal(0, noise.pixels, 2)
        pose[:3, :3] = cv2.Rodrigues(rng.normal(0, noise.pose_rad, 3))[0] @ pose[:3, :3]
        pose[:3, 3] += rng.normal(0, noise.pose_m, 3)
        image = rc.depth_image(np.where(ids >= 0, 0, measured).astype(np.float32) if blind else measured, CAMERA)
        seen.append(ground(found, masks, image, replace(CAMERA.info, k=k), pose, noise))
    return seen


def spreads(covariance: NDArray[np.float64], axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviations along the columns of `axes`."""
    spread: NDArray[np.float64] = np.sqrt(np.einsum("ia,ij,ja->a", axes, covariance, axes))
    return spread


@pytest.mark.parametrize("source", SOURCES)
def test_covariance_of_a_position(source: str) -> None:
    noise, freedom = SOURCES[source]
    observed = [sights.observations[0] for sights in draws(noise)]
    errors = np.array([o.position - THING.centre for o in observed])
    axes = CAMERA.pose[:3, :3]
    if source != "all":
        predicted = spreads(noise.of_point(THING.centre, CAMERA.pose, CAMERA.k), axes)
        np.testing.assert_allclose(spreads(np.cov(errors.T), axes), predicted, rtol=0.25, atol=0.0003)
    squared = [float(e @ np.linalg.inv(o.covariance) @ e) for e, o in zip(errors, observed, strict=True)]
    assert 0.5 * freedom < np.mean(squared) < 1.25 * freedom   # the fit of the shape is given some room
    assert np.mean(np.array(squared) < 7.81) > 0.93   # 95 % of chi-square with 3 degrees of freedom


def test_covariance_of_a_bearing() -> None:
    noise = replace(NONE, pixels=2.0, pose_rad=0.004)
    bearings = [sights.bearings[0] for sights in draws(noise, blind=True)]
    directions = np.array([b.direction for b in bearings])
    across = CAMERA.pose[:3, :2]
    np.testing.assert_allclose(spreads(np.cov(directions.T), across), spreads(bearings[0].covariance, across), rtol=0.25)
    assert spreads(bearings[0].covariance, bearings[0].direction[:, None])[0] < 1e-9


def test_depth_is_less_sure_far_away() -> None:
    noise = Noise(depth_floor=0.001, depth_growth=0.002)
    assert noise.depth(1.0) == pytest.approx(0.003)
    assert noise.depth(3.0) == pytest.approx(0.019)
