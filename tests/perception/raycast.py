"""A ray-caster for boxes, balls and turned profiles on a table: true depth and true labels by arithmetic alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seesay import masks as coding
from seesay.messages import CameraInfo, Detections, Header, Image, Masks, Source

Array = NDArray[np.float64]
HEIGHT, WIDTH, FOCAL = 240, 320, 448.0


@dataclass(frozen=True)
class Thing:
    """kind: block (edge, edge, height), ball (radius,), or a turned profile [(radius, z), ...]; `at` is the middle of its base."""

    name: str
    kind: str
    at: tuple[float, float, float]
    size: tuple[float, ...] = ()
    profile: tuple[tuple[float, float], ...] = ()
    yaw: float = 0.0

    @property
    def centre(self) -> Array:
        x, y, z = self.at
        return np.array([x, y, z + self.height / 2])

    @property
    def height(self) -> float:
        return {"block": lambda: self.size[2], "ball": lambda: 2 * self.size[0]}.get(self.kind, lambda: max(z for _, z in self.profile))()


def block(name: str, x: float, y: float, edge: float = 0.047, yaw: float = 0.0, z: float = 0.0) -> Thing:
    return Thing(name, "block", (x, y, z), (edge, edge, edge), yaw=yaw)


def ball(name: str, x: float, y: float, radius: float = 0.023, z: float = 0.0) -> Thing:
    return Thing(name, "ball", (x, y, z), (radius,))


def can(name: str, x: float, y: float, radius: float = 0.026, height: float = 0.085) -> Thing:
    return Thing(name, "turned", (x, y, 0.0), profile=((radius, 0.0), (radius, height), (0.0, height)))


def cup(name: str, x: float, y: float, radius: float = 0.031, height: float = 0.067) -> Thing:
    return Thing(name, "turned", (x, y, 0.0), profile=_hollow(0.8 * radius, radius, height))


def bowl(name: str, x: float, y: float, radius: float = 0.059, height: float = 0.04) -> Thing:
    base, wall = 0.55 * radius, 0.0045
    middle = (base + (radius - base) * 0.75, height * 0.45)
    return Thing(
        name,
        "turned",
        (x, y, 0.0),
        profile=(
            (base, 0.0),
            middle,
            (radius, height),
            (radius - wall, height),
            (middle[0] - wall, middle[1] + 0.002),
            (base - wall, wall),
            (0.0, wall),
        ),
    )


def plate(name: str, x: float, y: float, radius: float = 0.065) -> Thing:
    return Thing(name, "turned", (x, y, 0.0), profile=_hollow(0.6 * radius, radius, 0.018))


def _hollow(base: float, radius: float, height: float, wall: float = 0.0045) -> tuple[tuple[float, float], ...]:
    return ((base, 0.0), (radius, height), (radius - wall, height), (base - wall, wall), (0.0, wall))


@dataclass(frozen=True)
class Camera:
    """A camera `distance` metres from `target`, azimuth and elevation in degrees (azimuth -90 looks along +y)."""

    name: str = "front"
    azimuth: float = -90.0
    elevation: float = 62.0
    distance: float = 0.79
    target: tuple[float, float, float] = (0.0, 0.0, 0.0)
    k: Array = field(default_factory=lambda: np.array([[FOCAL, 0, WIDTH / 2 - 0.5], [0, FOCAL, HEIGHT / 2 - 0.5], [0, 0, 1]]))

    @property
    def pose(self) -> Array:
        """`(4, 4)` T_world_optical."""
        a, e = np.radians(self.azimuth), np.radians(self.elevation)
        position = np.array(self.target) + self.distance * np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
        forward = np.array(self.target) - position
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1])
        right = right / np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
        pose[:3, 3] = position
        return pose

    @property
    def info(self) -> CameraInfo:
        return CameraInfo(Header(0, frame_id=f"{self.name}_optical"), HEIGHT, WIDTH, self.k)


def cast(things: Sequence[Thing], camera: Camera) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """`(H, W) float32` depth in metres and `(H, W) int32` index of the thing seen, -1 for the table."""
    pose = camera.pose
    u, v = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    rays = np.stack([(u - camera.k[0, 2]) / camera.k[0, 0], (v - camera.k[1, 2]) / camera.k[1, 1], np.ones_like(u, float)], -1)
    direction = rays.reshape(-1, 3) @ pose[:3, :3].T
    origin = pose[:3, 3]
    depth = -origin[2] / direction[:, 2]
    depth[depth <= 0] = np.inf
    ids = np.full(len(depth), -1, np.int32)
    for index, thing in enumerate(things):
        hit = _hit(thing, origin - np.array(thing.at), direction)
        nearer = hit < depth - 1e-9
        depth[nearer], ids[nearer] = hit[nearer], index
    return np.where(np.isfinite(depth), depth, 0).astype(np.float32).reshape(HEIGHT, WIDTH), ids.reshape(HEIGHT, WIDTH)


def _hit(thing: Thing, origin: Array, direction: Array) -> Array:
    """Ray parameter of the first hit in the thing's frame (base at the origin), infinite where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if thing.kind == "ball":
            return _quadratic(direction, origin - [0, 0, thing.size[0]], thing.size[0])
        if thing.kind == "block":
            c, s = np.cos(-thing.yaw), np.sin(-thing.yaw)
            turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
            o, d = turn @ origin, direction @ turn.T
            half = np.array(thing.size) / 2
            o = o - [0, 0, half[2]]
            low, high = (-half - o) / d, (half - o) / d
            near, far = np.minimum(low, high).max(1), np.maximum(low, high).min(1)
            return np.where((near < far) & (near > 0), near, np.inf)
        best = np.full(len(direction), np.inf)
        for (r0, z0), (r1, z1) in zip(thing.profile, thing.profile[1:], strict=False):
            best = np.minimum(best, _disc(direction, origin, r0, r1, z0) if z0 == z1 else _cone(direction, origin, r0, z0, r1, z1))
        return best


def _quadratic(d: Array, o: Array, radius: float) -> Array:
    a, b, c = (d * d).sum(1), d @ o, o @ o - radius**2
    root = np.sqrt(b * b - a * c)
    return np.where(np.isfinite(root), (-b - root) / a, np.inf)


def _disc(d: Array, o: Array, r0: float, r1: float, z: float) -> Array:
    t = (z - o[2]) / d[:, 2]
    radius = np.hypot(o[0] + t * d[:, 0], o[1] + t * d[:, 1])
    return np.where((t > 0) & (radius >= min(r0, r1)) & (radius <= max(r0, r1)), t, np.inf)


def _cone(d: Array, o: Array, r0: float, z0: float, r1: float, z1: float) -> Array:
    slope = (r1 - r0) / (z1 - z0)
    base = r0 + slope * (o[2] - z0)
    a = d[:, 0] ** 2 + d[:, 1] ** 2 - (slope * d[:, 2]) ** 2
    b = d[:, 0] * o[0] + d[:, 1] * o[1] - slope * d[:, 2] * base
    c = o[0] ** 2 + o[1] ** 2 - base**2
    root = np.sqrt(b * b - a * c)
    best = np.full(len(d), np.inf)
    for t in ((-b - root) / a, (-b + root) / a):
        z = o[2] + t * d[:, 2]
        good = np.isfinite(t) & (t > 0) & (z >= min(z0, z1)) & (z <= max(z0, z1))
        best = np.where(good & (t < best), t, best)
    return best


def depth_image(depth: NDArray[np.float32], camera: Camera, stamp_ns: int = 0) -> Image:
    source = Source(camera.name, stamp_ns, stamp_ns)
    return Image(Header(stamp_ns, frame_id=f"{camera.name}_optical", clock="sim", source=source), "32FC1", depth)


def perfect(things: Sequence[Thing], ids: NDArray[np.int32], camera: Camera, stamp_ns: int = 0) -> tuple[Detections, Masks]:
    """What faultless networks would say: the box and mask of every thing of which at least 20 pixels are seen."""
    prompts = tuple(dict.fromkeys(thing.name for thing in things))
    boxes, indices = [], []
    for number, thing in enumerate(things):
        rows, columns = np.nonzero(ids == number)
        if len(rows) >= 20:
            boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            indices.append(prompts.index(thing.name))
    masks = np.array([np.isin(ids, [i for i, t in enumerate(things) if t.name == prompt]) for prompt in prompts], bool)
    counts, starts = coding.encode(masks.reshape(len(prompts), HEIGHT, WIDTH))
    header = Header(stamp_ns, frame_id=f"{camera.name}_optical", clock="sim", source=Source(camera.name, stamp_ns, stamp_ns))
    found = Detections(
        header, 1, prompts, "perfect", HEIGHT, WIDTH,
        np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), 0.9, np.float32), np.array(indices, np.int32),
    )  # fmt: skip
    return found, Masks(header, 1, prompts, "perfect", HEIGHT, WIDTH, counts, starts, np.ones(len(prompts), np.float32))
