"""Pictures with their stamps, cameras and where they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seesay.errors import MessageError
from seesay.messages.checks import check_array, check_finite

SCHEMA = 1
Clock = Literal["monotonic", "sim", "unix"]
Encoding = Literal["rgb8", "bgr8", "mono8", "16UC1", "32FC1"]
MAX_SIDE = 16384
MAX_PIXELS = 1 << 27
MAX_PICTURE_PIXELS = 1 << 24
PIXELS: dict[str, tuple[str, int]] = {
    "rgb8": ("uint8", 3),
    "bgr8": ("uint8", 3),
    "mono8": ("uint8", 1),
    "16UC1": ("uint16", 1),
    "32FC1": ("float32", 1),
}


@dataclass(frozen=True, slots=True)
class Source:
    """The picture that a result comes from: `camera` name, its `sequence`, and its acquisition `stamp_ns`."""

    camera: str
    sequence: int
    stamp_ns: int


@dataclass(frozen=True, slots=True)
class Header:
    """Stamp of acquisition in nanoseconds of `clock`, sequence of the publisher, frame of reference, and the picture behind it.

    clock_offset_ns: what gateways between hosts have added to all stamps of the message, so that they are of this host's clock.
    """

    stamp_ns: int
    sequence: int = 0
    frame_id: str = ""
    clock: Clock = "monotonic"
    source: Source | None = None
    schema: int = SCHEMA
    clock_offset_ns: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """One picture (sensor_msgs/Image). `header.frame_id` is the camera's optical frame.

    data: `(H, W, 3) uint8` for rgb8 and bgr8, `(H, W) uint8` for mono8, `(H, W) uint16` millimetres for 16UC1 (0 = invalid),
    `(H, W) float32` metres along the optical axis for 32FC1 (NaN or 0 = invalid, REP 118).
    """

    header: Header
    encoding: Encoding
    data: NDArray[Any]

    def __post_init__(self) -> None:
        if self.encoding not in PIXELS:
            raise MessageError(f"Image.encoding: expected one of {', '.join(PIXELS)}, got {self.encoding!r}")
        dtype, channels = PIXELS[self.encoding]
        check_array("Image.data", self.data, dtype, (None, None, 3) if channels == 3 else (None, None))
        if self.data.size == 0:
            raise MessageError(f"Image.data: expected at least one pixel, got shape {self.data.shape}")
        if max(self.data.shape) > MAX_SIDE or self.height * self.width > MAX_PIXELS:
            limits = f"{MAX_SIDE} pixels a side and {MAX_PIXELS / 1e6:.0f} million in all"
            raise MessageError(f"Image.data: expected at most {limits}, got {self.width} x {self.height}; make it smaller")

    @property
    def height(self) -> int:
        return int(self.data.shape[0])

    @property
    def width(self) -> int:
        return int(self.data.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class CompressedImage:
    """A coded picture (sensor_msgs/CompressedImage), as it travels between hosts: `(N,) uint8` bytes of a file of `format`.

    jpeg: baseline, of rgb8 and bgr8. png: grey, exact; of 32FC1 it holds whole millimetres as 16 bits, 0 = invalid.
    """

    header: Header
    encoding: Encoding
    format: Literal["jpeg", "png"]
    height: int
    width: int
    data: NDArray[np.uint8]

    def __post_init__(self) -> None:
        check_array("CompressedImage.data", self.data, "uint8", (None,))
        size = f"{self.height} x {self.width}"
        if not (1 <= self.height <= MAX_SIDE and 1 <= self.width <= MAX_SIDE and self.height * self.width <= MAX_PICTURE_PIXELS):
            raise MessageError(f"CompressedImage: expected sides of 1 to {MAX_SIDE} and at most {MAX_PICTURE_PIXELS} pixels, got {size}")
        if (self.format == "jpeg") != (self.encoding in ("rgb8", "bgr8")):
            raise MessageError(f"CompressedImage: expected jpeg for rgb8 and bgr8, png for others, got {self.format} of {self.encoding}")


@dataclass(frozen=True, slots=True, eq=False)
class CameraInfo:
    """Calibration of a camera (sensor_msgs/CameraInfo): `k` (3, 3) float64 pixels, `d` (N,) float64 distortion (plumb_bob)."""

    header: Header
    height: int
    width: int
    k: NDArray[np.float64]
    d: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    distortion_model: str = "plumb_bob"

    def __post_init__(self) -> None:
        check_array("CameraInfo.k", self.k, "float64", (3, 3))
        check_array("CameraInfo.d", self.d, "float64", (None,))
        check_finite("CameraInfo.k", self.k)
        if self.k[0, 0] <= 0 or self.k[1, 1] <= 0:
            raise MessageError(f"CameraInfo.k: expected positive focal lengths, got {self.k[0, 0]}, {self.k[1, 1]}")
        if self.k[1, 0] != 0 or tuple(self.k[2]) != (0, 0, 1):
            raise MessageError(f"CameraInfo.k: expected rows (fx, s, cx), (0, fy, cy), (0, 0, 1), got {self.k.tolist()}")


@dataclass(frozen=True, slots=True, eq=False)
class Transform:
    """Pose of `child_frame_id` in `header.frame_id` (geometry_msgs/TransformStamped).

    translation: `(3,) float64` metres. rotation: `(4,) float64` unit quaternion in x, y, z, w order.
    `static` transforms hold for all stamps.
    """

    header: Header
    child_frame_id: str
    translation: NDArray[np.float64]
    rotation: NDArray[np.float64]
    static: bool = False

    def __post_init__(self) -> None:
        check_array("Transform.translation", self.translation, "float64", (3,))
        check_array("Transform.rotation", self.rotation, "float64", (4,))
        check_finite("Transform.translation", self.translation)
        if not abs(math.hypot(*self.rotation) - 1.0) < 1e-3:
            raise MessageError(f"Transform.rotation: expected a unit quaternion, got norm {math.hypot(*self.rotation):.4f}")
