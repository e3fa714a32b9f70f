"""Boxes, masks and depth to objects in the world."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seesay.errors import MessageError
from seesay.geometry import project, unproject
from seesay.messages import Alternative, Bearing, CameraInfo, Detections, Embeddings, Image, Masks, Source
from seesay.perception import regions
from seesay.perception.noise import RGBD, Noise
from seesay.perception.rooms import SAME_ROOM, SAME_ROOM_SAME_NAME, shared_room
from seesay.perception.shape import Solid, fit, fit_flat
from seesay.perception.things import Thing, mask_of, merge

NEAR, FAR = 0.05, 20.0
SAME_PIXEL = 2.0
"""Pixels up to which a ray that is bent by the lens and straightened again counts as the same one."""
LEAST_PIXELS = 8
LEAST_SHARE = 0.5
"""A thing of whose pixels fewer than this share have depth is not seen whole."""


@dataclass(frozen=True)
class View:
    """One RGB-D picture: `image` and `depth` of one size and stamp, calibration, and the camera's `(4, 4) float64` pose in the world."""

    image: Image
    depth: Image
    info: CameraInfo
    T_world_camera: NDArray[np.float64]

    @property
    def source(self) -> Source:
        return picture_source(self.image)


@dataclass(frozen=True, eq=False)
class Observation:
    """One thing in one picture. Fields as in messages.Object; `mask` `(H, W) bool` are its pixels.

    complete: False if something hides a part of it, the picture's border cuts it or depth is missing, so that its centre is less certain.
    """

    label: str
    score: float
    box: NDArray[np.float32]
    position: NDArray[np.float64]
    covariance: NDArray[np.float64]
    extent: NDArray[np.float64]
    yaw: float
    source: Source
    mask: NDArray[np.bool_]
    alternatives: tuple[Alternative, ...] = ()
    complete: bool = True
    probability: float | None = None


@dataclass(frozen=True)
class Sights:
    """What one picture shows: things with a place, best score first, and directions of things whose depth is missing."""

    observations: list[Observation]
    bearings: list[Bearing]


def ground(
    detections: Detections,
    masks: Masks | None,
    depth: Image,
    info: CameraInfo,
    T_world_camera: NDArray[np.float64],
    noise: Noise = RGBD,
) -> Sights:
    """Place what was detected in the world: one observation per physical thing or, where its depth is missing, one bearing.

    Boxes of different prompts that overlap by more than 0.6 IoU are one thing with alternatives. Depth: 32FC1 metres or 16UC1 millimetres,
    registered to the picture, invalid as 0 or NaN, which is never averaged. Raises MessageError for sizes that differ.
    """
    metres = depth_metres(depth)
    for name, size in (("depth registered", metres.shape), ("intrinsics that belong", (info.height, info.width))):
        if size != (detections.height, detections.width):
            wanted = f"{detections.height} x {detections.width}"
            raise MessageError(f"expected {name} to the {wanted} picture, got {size[0]} x {size[1]}; give those of the same camera mode")
    picture = _Picture.of(metres, info, T_world_camera, picture_source(detections), noise)
    things = merge(detections)
    areas = regions.assign([thing.box for thing in things], [mask_of(thing, masks) for thing in things], metres.shape)
    busy = np.zeros(metres.shape, bool)
    for area in areas:
        busy[area.window] |= area.pixels
    placed = [_place(thing, area, busy[area.window], picture) for thing, area in zip(things, areas, strict=True)]
    observations = _distinct([sight for sight in placed if isinstance(sight, Observation)])
    return Sights(observations, [sight for sight in placed if isinstance(sight, Bearing)])


def depth_metres(depth: Image) -> NDArray[np.float32]:
    """`(H, W) float32` metres of a depth picture. Raises MessageError for another encoding."""
    if depth.encoding == "32FC1":
        return depth.data
    if depth.encoding == "16UC1":
        return (depth.data * np.float32(0.001)).astype(np.float32)
    raise MessageError(f"expected a depth picture in 32FC1 or 16UC1, got {depth.encoding}")


def picture_source(message: Image | Detections | Embeddings) -> Source:
    """The picture behind a message: its `header.source`, else the header itself."""
    header = message.header
    return header.source or Source(header.frame_id.removesuffix("_optical"), header.sequence, header.stamp_ns)


def pixels_of(points: NDArray[np.float64], info: CameraInfo) -> NDArray[np.float64]:
    """`(N, 2)` pixels at which `(N, 3)` points of the camera frame appear, through the lens as it is; NaN for points that it cannot see.

    The polynomial of the distortion bends rays from far outside back into the picture: those are not seen.
    """
    straight = project(points, info.k)
    if not info.d.any():
        return straight
    import cv2

    pixels = cv2.projectPoints(points[:, None], np.zeros(3), np.zeros(3), info.k, info.d)[0]
    back = cv2.undistortPoints(pixels, info.k, info.d, P=info.k)[:, 0]
    seen = np.linalg.norm(back - straight, axis=1) < SAME_PIXEL
    return np.where(seen[:, None], pixels[:, 0], np.nan)


def _rays(shape: tuple[int, ...], info: CameraInfo) -> NDArray[np.float64]:
    """`(H, W, 3)` points one metre deep in the camera frame; lens distortion is undone where the calibration has any."""
    if not info.d.any():
        return unproject(np.ones(shape), info.k)
    import cv2

    height, width = shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 1, 2).astype(np.float64)
    rays = cv2.undistortPoints(grid, info.k, info.d).reshape(height, width, 2)
    return np.concatenate([rays, np.ones((height, width, 1))], axis=2)


@dataclass(frozen=True)
class _Picture:
    """rays `(H, W, 3)` world, one metre deep; points `(H, W, 3)` world; metres `(H, W)`, infinite where invalid.

    flat: every pixel lies on one level plane, as with a camera without depth of which only the table is known.
    """

    rays: NDArray[np.float64]
    points: NDArray[np.float64]
    metres: NDArray[np.float32]
    pose: NDArray[np.float64]
    k: NDArray[np.float64]
    source: Source
    noise: Noise
    flat: bool

    @classmethod
    def of(
        cls, metres: NDArray[np.float32], info: CameraInfo, T_world_camera: NDArray[np.float64], source: Source, noise: Noise
    ) -> _Picture:
        valid = np.isfinite(metres) & (metres > NEAR) & (metres < FAR)
        rays = _rays(metres.shape, info) @ T_world_camera[:3, :3].T
        points = rays * np.where(valid, metres, np.nan)[..., None] + T_world_camera[:3, 3]
        heights = points[..., 2][valid][::7]
        flat = len(heights) > 100 and bool((np.abs(heights - np.median(heights)) < 0.002).mean() > 0.998)
        return cls(rays, points, np.where(valid, metres, np.inf).astype(np.float32), T_world_camera, info.k, source, noise, flat)


def _place(thing: Thing, area: regions.Area, busy: NDArray[np.bool_], picture: _Picture) -> Observation | Bearing | None:
    """Cut a thing out of the picture and fit the solid behind its surface; its bearing where depth is missing; None if nothing is there."""
    points, metres = picture.points[area.window], picture.metres[area.window]
    own = area.pixels & np.isfinite(metres)
    claimed = int(area.pixels.sum())
    sparse = claimed >= LEAST_PIXELS and own.sum() < max(LEAST_PIXELS, LEAST_SHARE * claimed)
    pixels, support, pitch = own, None, 0.0
    if own.any():
        pitch = float(np.median(metres[own]) / np.sqrt(picture.k[0, 0] * picture.k[1, 1]))
        support = regions.support(area, busy, points, metres)
        pixels = own if picture.flat else regions.foreground(area, support, points, metres, pitch)
    if int(pixels.sum()) < LEAST_PIXELS or (picture.flat and sparse):
        return _bearing(thing, area, picture) if sparse else None
    surface = points[pixels]
    ray = np.median(surface, axis=0) - picture.pose[:3, 3]
    ray = ray / np.linalg.norm(ray)
    hidden = regions.hidden_share(pixels, metres)
    if picture.flat:
        solid = fit_flat(surface, ray, pitch)
    else:
        solid = fit(surface, ray, pitch, _bottom(surface, points[own], support, hidden if area.masked else 1.0))
    mask = np.zeros(picture.metres.shape, bool)
    mask[area.window] = pixels
    whole = not sparse and hidden < 0.1 and not regions.is_covered(pixels, area.others, points)
    complete = whole and not _touches_border(thing.box, mask.shape)
    return Observation(
        label=thing.names[0][0],
        score=thing.names[0][2],
        box=thing.box,
        position=solid.centre,
        covariance=_covariance(solid, complete) + picture.noise.of_point(solid.centre, picture.pose, picture.k),
        extent=solid.extent,
        yaw=solid.yaw,
        source=picture.source,
        mask=mask,
        alternatives=thing.alternatives,
        complete=complete,
        probability=thing.probability,
    )


def _bearing(thing: Thing, area: regions.Area, picture: _Picture) -> Bearing:
    """The mean direction of the pixels of a thing."""
    direction = picture.rays[area.window][area.pixels].mean(axis=0)
    direction = direction / np.linalg.norm(direction)
    covariance = picture.noise.of_direction(direction, picture.k)
    label, _, score = thing.names[0]
    return Bearing(label, score, thing.box, picture.pose[:3, 3].copy(), direction, covariance, picture.source, thing.alternatives)


def _bottom(surface: NDArray[np.float64], claimed: NDArray[np.float64], support: regions.Support | None, hidden: float) -> float:
    """Height on which a thing stands: its support if its points reach down to it, or would where they are `hidden`, else its lowest point.

    Steep sides may be cut from the surface; the claimed points below its footprint tell how far down they go.
    """
    floor = support.height + support.margin if support is not None else -np.inf
    low, high = surface[:, :2].min(axis=0) - 0.003, surface[:, :2].max(axis=0) + 0.003
    sides = claimed[(claimed[:, 2] > floor) & ((claimed[:, :2] > low) & (claimed[:, :2] < high)).all(axis=1)]
    lowest, highest = np.percentile(np.concatenate([surface[:, 2], sides[:, 2]]), [2, 97])
    if support is None:
        return float(lowest)
    only_top = highest - lowest < 0.012
    reaches = lowest - support.height < (0.03 if hidden > 0.05 else 0.02)
    return support.height if only_top or reaches else float(lowest)


def _covariance(solid: Solid, complete: bool) -> NDArray[np.float64]:
    spread = solid.spread if complete else np.hypot(solid.spread, 0.2 * solid.extent)
    return np.diag(spread**2)


def _touches_border(box: NDArray[np.float32], shape: tuple[int, ...]) -> bool:
    return bool(box[0] < 1 or box[1] < 1 or box[2] > shape[1] - 1 or box[3] > shape[0] - 1)


def _distinct(observations: list[Observation]) -> list[Observation]:
    """Two solids cannot be in one place: of observations that share much of their room, the best one stays and takes the others' names."""
    kept: list[Observation] = []
    for candidate in sorted(observations, key=lambda o: -o.score):
        for index, other in enumerate(kept):
            if shared_room(candidate, other) > (SAME_ROOM_SAME_NAME if candidate.label == other.label else SAME_ROOM):
                kept[index] = replace(other, alternatives=_joined(other, candidate))
                break
        else:
            kept.append(candidate)
    return kept


def _joined(best: Observation, other: Observation) -> tuple[Alternative, ...]:
    """The alternatives of `best` and the names of `other`, best first, each once."""
    scores = {a.label: a.score for a in (*other.alternatives, Alternative(other.label, other.score), *best.alternatives)}
    scores.pop(best.label, None)
    return tuple(Alternative(name, score) for name, score in sorted(scores.items(), key=lambda item: -item[1]))
