"""Pinhole cameras, rigid transforms and the buffer of frames.

A rigid transform is a `(4, 4) float64` matrix named for its direction: `T_world_camera @ [p_camera, 1]` is the point in the world frame.
Optical frames are x right, y down, z forward (REP 103); depth lies along z (REP 118). Quaternions are x, y, z, w. All lengths in metres.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from seesay.errors import MessageError, TransformError
from seesay.messages import Transform

Matrix = NDArray[np.float64]

_MAX_CHAIN = 64
_SET_BACK_NS = 1_000_000_000


def project(points: NDArray[np.floating], k: Matrix) -> Matrix:
    """Return `(..., 2) float64` pixels of `(..., 3)` points in the optical frame; NaN for points not in front of the camera.

    k: `(3, 3)` intrinsics in pixels; the centre of the first pixel is (0, 0).
    """
    p = np.asarray(points, np.float64)
    z = np.where(p[..., 2:3] > 0, p[..., 2:3], np.nan)
    pixels: Matrix = (p @ np.asarray(k, np.float64).T)[..., :2] / z
    return pixels


def unproject(depth: NDArray[np.floating], k: Matrix) -> Matrix:
    """Return the `(H, W, 3) float64` points in the optical frame of a `(H, W)` depth picture in metres; NaN where depth <= 0."""
    height, width = depth.shape
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    return unproject_pixels(np.stack([u, v], axis=-1), depth, k)


def unproject_pixels(pixels: NDArray[np.generic], depth: NDArray[np.floating], k: Matrix) -> Matrix:
    """Return the `(..., 3) float64` points in the optical frame of `(..., 2)` pixels at `(...)` metres depth; NaN where depth <= 0."""
    z = np.asarray(depth, np.float64)
    z = np.where(z > 0, z, np.nan)
    pixels = np.asarray(pixels, np.float64)
    rays = np.concatenate([pixels, np.ones((*pixels.shape[:-1], 1))], axis=-1) @ np.linalg.inv(np.asarray(k, np.float64)).T
    points: Matrix = rays * z[..., None]
    return points


def transform_points(transform: Matrix, points: NDArray[np.floating]) -> Matrix:
    """Return `(..., 3) float64`: `(..., 3)` points moved by a `(4, 4)` transform."""
    moved: Matrix = np.asarray(points, np.float64) @ transform[:3, :3].T + transform[:3, 3]
    return moved


def invert(transform: Matrix) -> Matrix:
    """Return the `(4, 4)` inverse of a rigid transform."""
    inverse = np.eye(4)
    inverse[:3, :3] = transform[:3, :3].T
    inverse[:3, 3] = -transform[:3, :3].T @ transform[:3, 3]
    return inverse


def matrix_from_quaternion(rotation: Matrix) -> Matrix:
    """Return the `(3, 3)` rotation matrix of a `(4,)` quaternion xyzw, which is normalised first."""
    q = np.asarray(rotation, np.float64)
    norm = float(np.linalg.norm(q))
    if not (np.isfinite(norm) and norm > 1e-9):
        raise MessageError(f"rotation: expected a quaternion xyzw of norm 1, got norm {norm}")
    x, y, z, w = q / norm
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_from_matrix(matrix: Matrix) -> Matrix:
    """Return the `(4,)` unit quaternion xyzw with w >= 0 of a `(3, 3)` rotation matrix (the eigenvector form of Bar-Itzhack, 2000)."""
    m = np.asarray(matrix, np.float64)
    symmetric = np.array(
        [
            [m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[2, 1] - m[1, 2]],
            [m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1], m[0, 2] - m[2, 0]],
            [m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], m[0, 0] + m[1, 1] + m[2, 2]],
        ]
    )
    q: Matrix = np.linalg.eigh(symmetric)[1][:, -1]
    return -q if q[3] < 0 else q


def rigid(translation: Matrix, rotation: Matrix) -> Matrix:
    """Return the `(4, 4)` transform of a `(3,)` translation in metres and a `(4,)` quaternion xyzw."""
    transform = np.eye(4)
    transform[:3, :3] = matrix_from_quaternion(rotation)
    transform[:3, 3] = translation
    return transform


def slerp(start: Matrix, end: Matrix, fraction: float) -> Matrix:
    """Return the `(4,)` unit quaternion xyzw at `fraction` in [0, 1] of the shorter way from `start` to `end` (Shoemake, 1985)."""
    cosine = float(start @ end)
    if cosine < 0:
        end, cosine = -end, -cosine
    if cosine > 0.9995:
        blend = start + fraction * (end - start)
    else:
        angle = float(np.arccos(cosine))
        blend = np.sin((1 - fraction) * angle) * start + np.sin(fraction * angle) * end
    q: Matrix = blend / np.linalg.norm(blend)
    return q


class TransformBuffer:
    """The tree of frames over the last `keep_s` seconds of stamps. Not safe for use by several threads at once.

    >>> buffer = TransformBuffer()                                   # doctest: +SKIP
    >>> T_world_camera = buffer.lookup("world", "front_optical", stamp_ns)
    """

    def __init__(self, keep_s: float = 10.0, tolerance_s: float = 0.0) -> None:
        """Keep moving transforms for `keep_s` seconds; answer up to `tolerance_s` seconds before the first or after the last stamp."""
        self._keep_ns = int(keep_s * 1e9)
        self._tolerance_ns = int(tolerance_s * 1e9)
        self._static: dict[str, Transform] = {}
        self._moving: dict[str, list[tuple[int, Transform]]] = {}

    def add(self, transform: Transform) -> None:
        """Take in one transform; one of the same stamp is replaced.

        Stamps that jump back by more than a second mean that the clock was set back: the old ones are forgotten.
        """
        child = transform.child_frame_id
        if transform.static:
            self._static[child] = transform
            self._moving.pop(child, None)
            return
        self._static.pop(child, None)
        stamp = transform.header.stamp_ns
        history = self._moving.setdefault(child, [])
        if history and stamp < history[-1][0] - min(self._keep_ns, _SET_BACK_NS):
            history.clear()
        place = bisect_left(history, stamp, key=itemgetter(0))
        same = place < len(history) and history[place][0] == stamp
        history[place : place + same] = [(stamp, transform)]
        while history[-1][0] - history[0][0] > self._keep_ns:
            history.pop(0)

    def lookup(self, target: str, source: str, stamp_ns: int | None = None) -> Matrix:
        """Return `T_target_source`, `(4, 4) float64`, at `stamp_ns`, interpolated; None means the newest of each link.

        Raises TransformError if the frames are not connected or the stamp lies outside what is known.
        """
        up_source = self._ancestors(source)
        up_target = self._ancestors(target)
        shared = next((frame for frame in up_source if frame in up_target), None)
        if shared is None:
            known = ", ".join(sorted({*self._static, *self._moving})) or "none"
            raise TransformError(f"no chain of transforms from {source!r} to {target!r} yet (frames with a parent: {known})")
        T_shared_source = self._climb(up_source[: up_source.index(shared)], stamp_ns)
        T_shared_target = self._climb(up_target[: up_target.index(shared)], stamp_ns)
        return invert(T_shared_target) @ T_shared_source

    def can_lookup(self, target: str, source: str, stamp_ns: int | None = None) -> bool:
        """Tell whether `lookup` would answer."""
        try:
            self.lookup(target, source, stamp_ns)
        except TransformError:
            return False
        return True

    def _newest(self, child: str) -> Transform | None:
        if child in self._static:
            return self._static[child]
        history = self._moving.get(child)
        return history[-1][1] if history else None

    def _ancestors(self, frame: str) -> list[str]:
        """Return the frame, its parent, and so on to the root."""
        chain = [frame]
        while (link := self._newest(chain[-1])) is not None:
            chain.append(link.header.frame_id)
            if len(chain) > _MAX_CHAIN or chain[-1] in chain[:-1]:
                raise TransformError(f"the transforms above {frame!r} run in a circle: {' -> '.join(chain[:8])}")
        return chain

    def _climb(self, children: list[str], stamp_ns: int | None) -> Matrix:
        """Return the transform that takes points of the first child to the parent of the last one."""
        total = np.eye(4)
        for child in children:
            total = self._at(child, stamp_ns) @ total
        return total

    def _at(self, child: str, stamp_ns: int | None) -> Matrix:
        if child in self._static:
            link = self._static[child]
            return rigid(link.translation, link.rotation)
        history = self._moving[child]
        if stamp_ns is None:
            link = history[-1][1]
            return rigid(link.translation, link.rotation)
        first, last = history[0][0], history[-1][0]
        if not first - self._tolerance_ns <= stamp_ns <= last + self._tolerance_ns:
            outside_s = max(first - stamp_ns, stamp_ns - last) / 1e9
            raise TransformError(f"the pose of {child!r} is known from {first} to {last} ns, stamp {stamp_ns} is {outside_s:.3f} s outside")
        stamp_ns = min(max(stamp_ns, first), last)
        index = bisect_left(history, stamp_ns, key=itemgetter(0))
        after_ns, after = history[index]
        if index == 0 or after_ns == stamp_ns:
            return rigid(after.translation, after.rotation)
        before_ns, before = history[index - 1]
        fraction = (stamp_ns - before_ns) / (after_ns - before_ns)
        translation = before.translation + fraction * (after.translation - before.translation)
        return rigid(translation, slerp(before.rotation, after.rotation, fraction))
