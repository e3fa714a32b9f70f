"""Where an object is, from the surface points that a depth camera sees of it.

Only the side towards the camera is seen, so the median of the points is off by up to the object's radius. What is seen whole from a camera
that looks down is the top: the upper face of a block or can, the rim of a cup, bowl or plate. Its outline gives the centre in the plane
and the yaw; a ball is fitted as a sphere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

LAYER = (0.004, 0.010)
"""Least and greatest thickness in metres of the slice below the highest points that is taken for the top."""
TOP_SHARE = 0.09
ROUND = 0.87
"""A top whose outline fills less than this share of its smallest rectangle is round (a circle fills pi / 4)."""
STEEP = np.sin(np.radians(20))
"""Least sine of the angle at which a camera must look down for the top to be trusted."""


@dataclass(frozen=True)
class Solid:
    """centre, extent: `(3,) float64` metres along the world's axes; yaw: radians in [-pi/4, pi/4), 0 for round; spread: `(3,)` metres,
    standard deviation of the centre along the world's axes."""

    kind: Literal["sphere", "round", "box", "surface"]
    centre: Points
    extent: Points
    yaw: float
    spread: Points


def fit(points: Points, ray: Points, pitch: float, bottom: float) -> Solid:
    """Fit the solid behind `(N, 3)` world points, N >= 3.

    ray: `(3,)` unit direction of view in the world. pitch: metres between neighbouring samples. bottom: height on which it stands.
    """
    down = float(-ray[2])
    sphere = _sphere(points, ray, pitch)
    if sphere is not None:
        return sphere
    top = _top(points[:, 2])
    height = max(top - bottom, pitch)
    depth = np.clip(0.3 * height, *LAYER)
    layer = points[points[:, 2] > top - depth]
    if down < STEEP or len(layer) < 6:
        return _surface(points, ray, pitch)
    outline = cv2.convexHull(layer[:, :2].astype(np.float32))[:, 0].astype(np.float64)
    (middle_x, middle_y), sides, degrees = cv2.minAreaRect(outline.astype(np.float32))
    area = cv2.contourArea(outline.astype(np.float32))
    # Samples lie half a pitch inside the edges; along the view the pitch is stretched by the slant.
    grow = pitch * (1 + 1 / max(down, 0.3)) / 2
    z, spread = bottom + height / 2, np.full(3, 0.0005 + pitch / 4)
    if area < ROUND * max(sides[0] * sides[1], 1e-9):
        circle = _circle(outline, pitch)
        if circle is not None:
            x, y, radius = circle
            across = 2 * radius + grow
            return Solid("round", np.array([x, y, z]), np.array([across, across, height]), 0.0, spread)
    yaw = float((np.radians(degrees) + np.pi / 4) % (np.pi / 2) - np.pi / 4)
    turns = round((np.radians(degrees) - yaw) / (np.pi / 2))
    long, wide = (sides[1], sides[0]) if turns % 2 else (sides[0], sides[1])
    cosine, sine = abs(np.cos(yaw)), abs(np.sin(yaw))
    long, wide = long + grow, wide + grow
    extent = np.array([long * cosine + wide * sine, long * sine + wide * cosine, height])
    return Solid("box", np.array([middle_x, middle_y, z]), extent, yaw, spread)


def fit_flat(points: Points, ray: Points, pitch: float) -> Solid:
    """Fit a thing of which only the outline on a level plane is known, `(N, 3)` points on that plane.

    What rises from the plane is smeared away from the camera, so its near edge counts: the centre lies half of its width behind it.
    """
    along = ray[:2] / max(float(np.linalg.norm(ray[:2])), 1e-6)
    across = np.array([-along[1], along[0]])
    left, right = np.percentile(points[:, :2] @ across, [1, 99])
    near, far = np.percentile(points[:, :2] @ along, [1, 99])
    width = min(float(right - left), float(far - near)) if far > near else float(right - left)
    x, y = (near + width / 2) * along + (left + right) / 2 * across
    level = float(np.median(points[:, 2]))
    spread = np.array([0.2, 0.2, 0.3]) * width + pitch
    return Solid("surface", np.array([x, y, level]), np.array([width + pitch, width + pitch, 0.0]), 0.0, spread)


def _top(heights: Points) -> float:
    """Height of the top: the highest level below which a slice holds a fair share of the points; strays above it do not count."""
    rising = np.sort(heights)
    held = np.arange(len(rising)) - np.searchsorted(rising, rising - LAYER[0]) + 1
    levels = np.flatnonzero(held >= max(3, TOP_SHARE * len(rising)))
    top = rising[levels[-1]] if len(levels) else rising[-1]
    return float(np.percentile(rising[(rising <= top) & (rising >= top - LAYER[0])], 95))


def _sphere(points: Points, ray: Points, pitch: float) -> Solid | None:
    """The sphere that the points lie on to within a fraction of its radius, bulging towards the camera; None if there is none."""
    if len(points) < 20:
        return None
    kept = points
    for _ in range(3):
        origin = kept.mean(axis=0)
        local = kept - origin
        system = np.column_stack([2 * local, np.ones(len(local))])
        (cx, cy, cz, offset), *_ = np.linalg.lstsq(system, (local**2).sum(axis=1), rcond=None)
        square = offset + cx * cx + cy * cy + cz * cz
        if square <= 0:
            return None
        centre, radius = origin + np.array([cx, cy, cz]), float(np.sqrt(square))
        error = np.abs(np.linalg.norm(kept - centre, axis=1) - radius)
        limit = max(2.5 * float(np.median(error)), 0.3 * pitch)
        if (error <= limit).mean() < 0.7:
            return None
        kept = kept[error <= limit]
    rms = float(np.sqrt(((np.linalg.norm(points - centre, axis=1) - radius).clip(-radius, radius) ** 2).mean()))
    bulge = float(((centre - kept) @ ray).mean())
    width = float(np.ptp(points, axis=0).max())
    if rms > max(0.07 * radius, 0.5 * pitch) or bulge < 0.4 * radius or not 0.6 * width < 2 * radius < 1.6 * width:
        return None
    return Solid("sphere", centre, np.full(3, 2 * radius), 0.0, np.full(3, 0.0005 + pitch / 4))


def _circle(outline: Points, pitch: float) -> tuple[float, float, float] | None:
    """Least-squares circle (x, y, radius) through an outline (Kåsa, 1976), refitted without points well inside it, on a cut edge."""
    kept = _resample(outline, pitch)
    for _ in range(4):
        if len(kept) < 5:
            return None
        origin = kept.mean(axis=0)
        local = kept - origin
        (x, y, offset), *_ = np.linalg.lstsq(np.column_stack([2 * local, np.ones(len(local))]), (local**2).sum(axis=1), rcond=None)
        radius = float(np.sqrt(max(offset + x * x + y * y, 0.0)))
        error = radius - np.hypot(local[:, 0] - x, local[:, 1] - y)
        good = error < max(1.0 * pitch, 2.5 * float(np.median(np.abs(error))))
        if good.all():
            break
        kept = kept[good]
    width = float(np.ptp(outline, axis=0).max())
    return (float(origin[0] + x), float(origin[1] + y), radius) if 0 < 2 * radius < 1.5 * width else None


def _resample(outline: Points, step: float) -> Points:
    """The corners of a closed outline and points between them, at most `step` apart, so that each length counts alike."""
    following = np.roll(outline, -1, axis=0)
    pieces = []
    for start, end in zip(outline, following, strict=True):
        number = max(1, int(np.ceil(np.linalg.norm(end - start) / max(step, 1e-6))))
        pieces.append(start + (end - start) * (np.arange(number) / number)[:, None])
    return np.concatenate(pieces)


def _surface(points: Points, ray: Points, pitch: float) -> Solid:
    """No top in view: the median of the surface, pushed away from the camera by half of the width seen across the view."""
    middle = np.median(points, axis=0)
    across = np.array([-ray[1], ray[0], 0.0])
    norm = float(np.linalg.norm(across))
    across = across / norm if norm > 1e-6 else np.array([1.0, 0.0, 0.0])
    low, high = np.percentile(points @ across, [2, 98])
    width = float(high - low) + pitch
    seen = float(np.percentile(points @ ray, 90) - np.percentile(points @ ray, 10))
    centre = middle + ray * max(0.0, width / 2 - seen / 2)
    extent = np.maximum(np.ptp(points, axis=0) + pitch, np.array([width, width, 0.0]) * 0.8)
    return Solid("surface", centre, extent, 0.0, 0.002 + pitch / 2 + 0.25 * width * (0.3 + np.abs(ray)))
