"""What is seen: boxes, masks, objects, and what a memory keeps of pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seesay.errors import MessageError
from seesay.messages.checks import check_array, check_finite, check_share
from seesay.messages.pictures import CameraInfo, Header, Image, Source, Transform

ObjectStatus = Literal["visible", "occluded", "held", "lost"]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Boxes of one picture (vision_msgs/Detection2DArray). Several prompts may claim one box.

    boxes: `(N, 4) float32` xyxy pixels of the source picture, clipped to it. scores: `(N,) float32` in [0, 1].
    prompt_indices: `(N,) int32` into `prompts`. probabilities: `(N,) float32` p(right) in [0, 1] by the model's calibration, empty without.
    parents: `(N,) int32`, for trees of prompts: the box that this one was found inside, or is a kind of (then both are the same box), -1
    for the picture; empty without a tree.
    """

    header: Header
    prompt_version: int
    prompts: tuple[str, ...]
    model: str
    height: int
    width: int
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    prompt_indices: NDArray[np.int32]
    probabilities: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    parents: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))

    def __post_init__(self) -> None:
        check_array("Detections.boxes", self.boxes, "float32", (None, 4))
        check_array("Detections.scores", self.scores, "float32", (len(self.boxes),))
        check_array("Detections.prompt_indices", self.prompt_indices, "int32", (len(self.boxes),))
        check_array("Detections.probabilities", self.probabilities, "float32", (len(self.boxes) if len(self.probabilities) else 0,))
        check_finite("Detections.boxes", self.boxes)
        if len(self.boxes) and not (self.prompt_indices.min() >= 0 and self.prompt_indices.max() < len(self.prompts)):
            raise MessageError(f"Detections.prompt_indices: expected indices below {len(self.prompts)}")
        check_array("Detections.parents", self.parents, "int32", (len(self.boxes) if len(self.parents) else 0,))
        if not ((self.parents >= -1) & (self.parents < np.arange(len(self.parents)))).all():
            raise MessageError("Detections.parents: expected -1 or the index of an earlier box")


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """One binary mask per prompt at the picture's resolution, run-length coded, bit-exact.

    counts: `(K,) uint32` run lengths in row-major order, zeros first, of all masks one after the other;
    starts: `(M + 1,) uint32`, mask m has `counts[starts[m]:starts[m + 1]]`. scores: `(M,) float32`, highest probability in the mask.
    `seesay.masks.encode` and `seesay.masks.decode` convert from and to `(M, H, W) bool`.
    """

    header: Header
    prompt_version: int
    prompts: tuple[str, ...]
    model: str
    height: int
    width: int
    counts: NDArray[np.uint32]
    starts: NDArray[np.uint32]
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        check_array("Masks.counts", self.counts, "uint32", (None,))
        check_array("Masks.starts", self.starts, "uint32", (len(self.prompts) + 1,))
        check_array("Masks.scores", self.scores, "float32", (len(self.prompts),))


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """What the image tower made of one picture, for prompts that are still to come: P tokens, each with a box.

    The score of token p for a prompt's unit vector q is `sigmoid((vectors[p] @ q) * gain[p] + offset[p])`.
    vectors: `(P, D) int8`. gain, offset: `(P,) float32`. boxes: `(P, 4) float32` xyxy pixels of the source picture, clipped to it.
    """

    header: Header
    model: str
    height: int
    width: int
    vectors: NDArray[np.int8]
    gain: NDArray[np.float32]
    offset: NDArray[np.float32]
    boxes: NDArray[np.float32]

    def __post_init__(self) -> None:
        check_array("Embeddings.vectors", self.vectors, "int8", (None, None))
        for name, shape in (("gain", (len(self.vectors),)), ("offset", (len(self.vectors),)), ("boxes", (len(self.vectors), 4))):
            check_array(f"Embeddings.{name}", getattr(self, name), "float32", shape)
            check_finite(f"Embeddings.{name}", getattr(self, name))


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """A past picture in the visual memory; with depth, calibration and pose, its boxes can be placed in the world.

    depth: 16UC1, registered to the picture, of the size that `info` is for. pose: of the camera at the picture's stamp.
    """

    header: Header
    embeddings: Embeddings
    depth: Image | None = None
    info: CameraInfo | None = None
    pose: Transform | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another name that the object may have, with its score in [0, 1]."""

    label: str
    score: float

    def __post_init__(self) -> None:
        check_share("Alternative.score", self.score)


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """One grounded thing. `id` persists while the object does.

    box: `(4,) float32` xyxy pixels in `source.camera`'s picture. position: `(3,) float64` metres, centre of the object in the frame
    of the enclosing Objects; covariance `(3, 3) float64` square metres; extent `(3,) float64` metres, full size along the frame's axes.
    last_seen_ns: stamp of the last picture that showed it. mask_counts: run lengths as in Masks, empty if there is no mask.
    yaw: radians about the frame's z-axis in [-pi/4, pi/4), of the smallest rectangle around its top surface; 0 for a round thing.
    probability: that it is what `label` says, in [0, 1], by the calibration of the detector when it was last seen; None without one.
    """

    id: int
    label: str
    score: float
    box: NDArray[np.float32]
    position: NDArray[np.float64]
    covariance: NDArray[np.float64]
    extent: NDArray[np.float64]
    last_seen_ns: int
    source: Source
    status: ObjectStatus = "visible"
    alternatives: tuple[Alternative, ...] = ()
    mask_counts: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))
    yaw: float = 0.0
    probability: float | None = None

    def __post_init__(self) -> None:
        check_array("Object.box", self.box, "float32", (4,))
        check_array("Object.position", self.position, "float64", (3,))
        check_array("Object.covariance", self.covariance, "float64", (3, 3))
        check_array("Object.extent", self.extent, "float64", (3,))
        check_array("Object.mask_counts", self.mask_counts, "uint32", (None,))
        check_finite("Object.position", self.position)
        check_share("Object.score", self.score)


@dataclass(frozen=True, slots=True, eq=False)
class Bearing:
    """The direction of a thing that was seen where depth is missing, in the frame of the enclosing Objects.

    It lies on the ray from `origin` `(3,) float64` metres along the unit vector `direction` `(3,) float64`; covariance `(3, 3) float64`
    square radians, across the direction. box: `(4,) float32` xyxy pixels in `source.camera`'s picture.
    """

    label: str
    score: float
    box: NDArray[np.float32]
    origin: NDArray[np.float64]
    direction: NDArray[np.float64]
    covariance: NDArray[np.float64]
    source: Source
    alternatives: tuple[Alternative, ...] = ()

    def __post_init__(self) -> None:
        check_array("Bearing.box", self.box, "float32", (4,))
        check_array("Bearing.origin", self.origin, "float64", (3,))
        check_array("Bearing.direction", self.direction, "float64", (3,))
        check_array("Bearing.covariance", self.covariance, "float64", (3, 3))
        check_finite("Bearing.origin", self.origin)
        check_share("Bearing.score", self.score)
        if not abs(math.hypot(*self.direction) - 1.0) < 1e-3:
            raise MessageError(f"Bearing.direction: expected a unit vector, got norm {math.hypot(*self.direction):.4f}")


@dataclass(frozen=True, slots=True)
class Objects:
    """All known objects, in the frame `header.frame_id`; `header.source` is the newest picture used, `bearings` things without depth."""

    header: Header
    objects: tuple[Object, ...]
    bearings: tuple[Bearing, ...] = ()
