"""What travels between nodes: frozen, typed, transport-free.

Names and fields follow ROS 2 (`sensor_msgs`, `vision_msgs`, `geometry_msgs`), units and frames REP 103 (SI; optical frames are
x right, y down, z forward; the world frame is x right, y away from the viewer, z up), depth REP 118.
Every array is checked once, when a message is made; `MessageError` says what was expected and what was got.
The stamp of the picture (`header.source`) is carried through every stage and never overwritten, so that each
consumer knows how old its evidence is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seesay.errors import MessageError

SCHEMA = 1

Clock = Literal["monotonic", "sim", "unix"]
Encoding = Literal["rgb8", "bgr8", "mono8", "16UC1", "32FC1"]
ObjectStatus = Literal["visible", "occluded", "held", "lost"]
Outcome = Literal[
    "succeeded", "grasp_failed", "dropped", "unreachable", "stale", "timeout", "cancelled", "stopped", "failed"
]
Transition = Literal["", "configure", "activate", "deactivate", "shutdown"]
TaskOutcome = Literal["done", "failed", "refused", "timeout", "cancelled"]
WithoutAnswer = Literal["best", "stop", "wait"]

MAX_SIDE = 16384
MAX_PIXELS = 1 << 27
MAX_PICTURE_PIXELS = 1 << 24
MAX_VARIANTS = 64

PIXELS: dict[str, tuple[str, int]] = {
    "rgb8": ("uint8", 3),
    "bgr8": ("uint8", 3),
    "mono8": ("uint8", 1),
    "16UC1": ("uint16", 1),
    "32FC1": ("float32", 1),
}


_dtype = cache(np.dtype)


def check_array(name: str, array: Any, dtype: str, shape: tuple[int | None, ...]) -> None:
    """Raise MessageError unless `array` is a numpy array of `dtype` and `shape` (None = any length)."""
    if not isinstance(array, np.ndarray):
        raise MessageError(f"{name}: expected a numpy array, got {type(array).__name__}")
    fits = array.ndim == len(shape)
    for want, got in zip(shape, array.shape, strict=False):
        fits = fits and want in (None, got)
    if not fits or array.dtype != _dtype(dtype):
        wanted = "(" + ", ".join("_" if n is None else str(n) for n in shape) + ")"
        raise MessageError(f"{name}: expected {wanted} {dtype}, got {array.shape} {array.dtype}")


def check_finite(name: str, array: NDArray[Any]) -> None:
    """Raise MessageError if `array` holds NaN or infinity."""
    if not np.isfinite(array).all():
        raise MessageError(f"{name}: expected finite numbers, got NaN or infinity")


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


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Example:
    """A picture that shows what to look for.

    rgb: `(H, W, 3) uint8`. mask: `(H, W) uint8`, not 0 where the thing is; box: `(4,) float32` xyxy pixels around it. With neither, all of
    the picture shows it; a mask goes before a box.
    """

    rgb: NDArray[np.uint8]
    box: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    mask: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))

    def __post_init__(self) -> None:
        check_array("Example.rgb", self.rgb, "uint8", (None, None, 3))
        height, width = self.rgb.shape[:2]
        if not 1 <= height * width <= MAX_PICTURE_PIXELS:
            raise MessageError(f"Example.rgb: expected 1 to {MAX_PICTURE_PIXELS} pixels, got {height} x {width}")
        if self.box.size:
            check_array("Example.box", self.box, "float32", (4,))
            x0, y0, x1, y1 = self.box.tolist()
            if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
                raise MessageError(f"Example.box: expected a box inside the {height} x {width} picture, got {self.box.tolist()}")
        if self.mask.size:
            check_array("Example.mask", self.mask, "uint8", (height, width))
            if not self.mask.any():
                raise MessageError("Example.mask: expected some pixels of the thing, got none")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What to look for, where that is more than a text; results call it `text`.

    templates: sentences with {} for the text, such as "a photo of a {}", which count together; none: the text as it is.
    examples: pictures of it, which count together; text_weight: share in [0, 1] of the text beside them.
    threshold: least score in [0, 1] of its boxes; overlap: IoU in [0, 1] over which the weaker of two of them goes; mask_threshold: least
    probability in [0, 1] of a pixel in its mask; None takes the model's own. negative: it has no boxes, and takes away those that it
    fits better than any other prompt does.
    """

    text: str
    templates: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    text_weight: float = 0.0
    threshold: float | None = None
    overlap: float | None = None
    mask_threshold: float | None = None
    negative: bool = False

    def __post_init__(self) -> None:
        if len(self.templates) > MAX_VARIANTS or len(self.examples) > MAX_VARIANTS:
            raise MessageError(f"Prompt {self.text[:40]!r}: expected at most {MAX_VARIANTS} templates and as many examples, got more")
        for template in self.templates:
            if "{}" not in template:
                raise MessageError(f"Prompt.templates: expected {{}} where the text belongs, got {template[:80]!r}")
        for name in ("text_weight", "threshold", "overlap", "mask_threshold"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value <= 1.0:
                raise MessageError(f"Prompt.{name}: expected a number in [0, 1], got {value}")


@dataclass(frozen=True, slots=True)
class PromptSet:
    """What to look for. `version` rises with each change; every result says which version and text it answers."""

    header: Header
    version: int
    prompts: tuple[str | Prompt, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The prompts as texts, a tree as it is written."""
        return tuple(prompt if isinstance(prompt, str) else prompt.text for prompt in self.prompts)


@dataclass(frozen=True, slots=True)
class PromptAck:
    """What a node of perception did with the set of prompts of that version.

    refusal: empty, and all that it publishes from now on answers the set; else it goes on with the former one for that reason.
    """

    header: Header
    node: str
    version: int
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class PromptChange:
    """How a change of the prompts went: the version in force, and which nodes took the new set, refused it (with the sentence why) or were
    silent. If any refused, `version` is that of the former prompts again."""

    header: Header
    version: int
    taken: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    silent: tuple[str, ...] = ()


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
        if not abs(math.hypot(*self.direction) - 1.0) < 1e-3:
            raise MessageError(f"Bearing.direction: expected a unit vector, got norm {math.hypot(*self.direction):.4f}")


@dataclass(frozen=True, slots=True)
class Objects:
    """All known objects, in the frame `header.frame_id`; `header.source` is the newest picture used, `bearings` things without depth."""

    header: Header
    objects: tuple[Object, ...]
    bearings: tuple[Bearing, ...] = ()


@dataclass(frozen=True, slots=True)
class Instruction:
    """What a person asks for. A new id starts a new task."""

    header: Header
    id: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Where a skill acts, as perceived: label, object id (0 for a named place), `(3,) float64` metres position and extent in the goal's
    frame, the stamp of the picture that shows it, and `yaw` as in Object."""

    label: str
    object_id: int
    position: NDArray[np.float64]
    extent: NDArray[np.float64]
    stamp_ns: int
    yaw: float = 0.0

    def __post_init__(self) -> None:
        check_array("Target.position", self.position, "float64", (3,))
        check_array("Target.extent", self.extent, "float64", (3,))
        check_finite("Target.position", self.position)


@dataclass(frozen=True, slots=True)
class SkillGoal:
    """One skill to run. `skill` is its name in the skill library (pick, place, pick_and_place, push, approach,
    go_home), `targets` by argument name."""

    header: Header
    id: str
    skill: str
    phrase: str
    targets: dict[str, Target]


@dataclass(frozen=True, slots=True)
class SkillFeedback:
    """Progress of a running goal, `progress` in [0, 1]."""

    header: Header
    goal_id: str
    phase: str
    progress: float


@dataclass(frozen=True, slots=True)
class SkillResult:
    """How a goal ended. `message` is a sentence for a person and for the planner's history."""

    header: Header
    goal_id: str
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One skill phrase with every term of its score.

    log_p_language: natural log-probability of the phrase with its terminator, None if not scored (affordance 0).
    affordance: p(success) in [0, 1]. log_score: combined, -inf if impossible. probability: share among the candidates, in [0, 1].
    reasons: what the affordance is made of. why_not: why it was not chosen, empty for the choice.
    """

    phrase: str
    skill: str
    arguments: dict[str, str]
    log_p_language: float | None
    affordance: float
    log_score: float
    probability: float
    reasons: tuple[str, ...] = ()
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One decision: all candidates in library order and the index of the choice (None = nothing is feasible).

    `decision_ms` is the time of scoring; `evidence_age_ms` the age of the oldest object used when the decision was made.
    `subtask` is the part of the instruction that the step serves, in plain words; empty for the whole instruction.
    `asked`: the phrases that a person was asked to choose from, none where nobody was asked; `answer`: what came of it.
    """

    header: Header
    instruction_id: str
    instruction: str
    step: int
    candidates: tuple[Candidate, ...]
    choice: int | None
    history: tuple[str, ...] = ()
    decision_ms: float = 0.0
    evidence_age_ms: float = 0.0
    subtask: str = ""
    asked: tuple[str, ...] = ()
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What the planner asks a person who gave an instruction: which of `options`, phrases of its skills, is meant. Surest first.

    confidences: of each option, in [0, 1]. until_ns: on the header's clock, when the planner goes on without an answer, 0 for never;
    otherwise: what it does then. answer: what came of it; empty while the question is open.
    """

    header: Header
    id: str
    instruction_id: str
    instruction: str
    options: tuple[str, ...]
    confidences: tuple[float, ...]
    until_ns: int = 0
    otherwise: WithoutAnswer = "best"
    answer: str = ""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How an instruction ended, as the planner sees it."""

    header: Header
    instruction_id: str
    outcome: TaskOutcome
    message: str
    steps: int = 0


@dataclass(frozen=True, slots=True)
class TaskVerdict:
    """How things really stand, by the simulator's own state. For reports only: no node in the loop subscribes to it."""

    header: Header
    success: bool
    message: str


@dataclass(frozen=True, slots=True)
class EmergencyStop:
    """`engaged` stops all motion at once, whatever the planner does; only a message with `engaged=False` releases it."""

    header: Header
    engaged: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ArmCommand:
    """Where the tool shall go: `position` (3,) float64 metres in the world, the point between the finger tips; `yaw` radians about z;
    `opening` metres between the fingers. A driver stops when commands stop coming."""

    header: Header
    position: NDArray[np.float64]
    yaw: float
    opening: float

    def __post_init__(self) -> None:
        check_array("ArmCommand.position", self.position, "float64", (3,))
        check_finite("ArmCommand.position", self.position)


@dataclass(frozen=True, slots=True, eq=False)
class ArmState:
    """What the arm's own sensors say: `position` (3,) float64 metres of the point between the finger tips, `yaw` radians,
    `opening` metres, `grip_force` newtons (0 when nothing is between the fingers), `speed` metres a second."""

    header: Header
    position: NDArray[np.float64]
    yaw: float
    opening: float
    grip_force: float
    speed: float

    def __post_init__(self) -> None:
        check_array("ArmState.position", self.position, "float64", (3,))


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """Heartbeat of a node: life-cycle `state` and a sentence."""

    header: Header
    node: str
    state: Literal["starting", "ready", "inactive", "failed", "stopped"]
    pid: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """How a supervised process stands: a node with its entry `run`, `pid` (0: none now) and how often it was started again.

    restarting: it died and waits, or starts once more. failed and stopped are final. exit_status: of its last end, negative for a signal,
    None while it has not ended yet.
    """

    node: str
    run: str
    state: Literal["starting", "ready", "inactive", "restarting", "failed", "stopped"]
    pid: int
    restarts: int
    required: bool
    exit_status: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class LaunchStatus:
    """The processes of one launch, in the order of its file; sent on every change and once a second."""

    header: Header
    launch: str
    processes: tuple[ProcessStatus, ...]


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """Health of a gateway's connection with another host.

    offset_ns: the peer's CLOCK_MONOTONIC minus ours, wrong by `offset_error_ns` at most; round_trip_ns: the shortest of late.
    sent, received: messages since the connection is up; dropped: replaced by newer ones on the way, at this end; invalid: not messages.
    """

    header: Header
    peer: str
    state: Literal["connecting", "up", "refused"]
    offset_ns: int = 0
    offset_error_ns: int = 0
    round_trip_ns: int = 0
    sent: int = 0
    received: int = 0
    dropped: int = 0
    invalid: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class ClockTick:
    """The time of a simulated clock: `header.stamp_ns` of `header.clock`. Nodes on simulated time follow it (rosgraph_msgs/Clock)."""

    header: Header


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a node. `value` is JSON text, `type` its Python type, `minimum` and `maximum` its range if it has one.

    live: a change takes effect at once; otherwise `pending` is the value, as JSON text, that the node takes when it is next configured
    (empty: none waits).
    """

    name: str
    type: str
    value: str
    minimum: float | None = None
    maximum: float | None = None
    live: bool = False
    pending: str = ""


@dataclass(frozen=True, slots=True)
class ParameterRequest:
    """Asks a node for its parameters, after setting those in `values` (name to JSON text): all of them or, if one is refused, none."""

    header: Header
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ParameterReply:
    """All parameters of a node, in the order of its Config."""

    header: Header
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class LifecycleRequest:
    """Asks a node for its state (answered by its NodeStatus), after a transition unless that is empty."""

    header: Header
    transition: Transition = ""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Asks a node to do its one thing now (std_srvs/Trigger)."""

    header: Header


@dataclass(frozen=True, slots=True)
class TriggerReply:
    """Whether it was done, and a sentence: what came of it, or why not."""

    header: Header
    success: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class ObjectsRequest:
    """Asks the planner for the objects that it plans with: those that may go by `name`, or all if it is empty."""

    header: Header
    name: str = ""


@dataclass(frozen=True, slots=True)
class AffordancesRequest:
    """Asks what can be done now. `history`: phrases of the steps that have been done so far."""

    header: Header
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Affordance:
    """One option of the skill library: p(success) in [0, 1] now, what lowers it, and the goal that runs it.

    goal: None for `done`, and where an object of it is not seen.
    """

    phrase: str
    probability: float
    reasons: tuple[str, ...] = ()
    goal: SkillGoal | None = None


@dataclass(frozen=True, slots=True)
class Affordances:
    """Every option in library order, `done` last."""

    header: Header
    affordances: tuple[Affordance, ...]


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Asks the language model how well each phrase would go on after `instruction` and the steps of `history`.

    phrases: at most 256; empty for every option of the library.
    """

    header: Header
    instruction: str
    phrases: tuple[str, ...] = ()
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scores:
    """log_p: natural log-probability of each of `phrases` with its terminator."""

    header: Header
    phrases: tuple[str, ...]
    log_p: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """Asks for the next step of `instruction` from how things stand now. `history`: phrases of the steps that have been done so far."""

    header: Header
    instruction: str
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The next step: a `goal` to run, or the `result` if nothing is left to do or can be done, or neither: look again and ask again.

    step: the decision behind it, None where none was made. message: says it in words.
    """

    header: Header
    message: str
    step: PlanStep | None = None
    goal: SkillGoal | None = None
    result: TaskResult | None = None


@dataclass(frozen=True, slots=True)
class EncodeRequest:
    """Asks a detector for the vectors of prompts."""

    header: Header
    prompts: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PromptVectors:
    """Unit vectors `(Q, D) float32` of prompts, to be compared with `Embeddings` of the same model; least score in [0, 1] of a box."""

    header: Header
    model: str
    threshold: float
    prompts: tuple[str, ...]
    vectors: NDArray[np.float32]

    def __post_init__(self) -> None:
        check_array("PromptVectors.vectors", self.vectors, "float32", (len(self.prompts), None))
        check_finite("PromptVectors.vectors", self.vectors)


@dataclass(frozen=True, slots=True)
class AskRequest:
    """Asks the visual memory in which past pictures prompts are seen.

    within_s: how old a picture may be in seconds of the node's clock, 0 = any. camera: its name, empty = any.
    limit: how many pictures to name at most for each prompt, the newest ones.
    """

    header: Header
    prompts: tuple[str, ...]
    within_s: float = 0.0
    camera: str = ""
    limit: int = 3


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A box of a past picture that a prompt names. age_s: of the picture when the question was answered.

    box: `(4,) float32` xyxy pixels of the picture. position: `(3,) float64` metres in the frame of the enclosing Sightings, centre of
    what was seen then; None where depth or pose were not known.
    """

    prompt: str
    source: Source
    age_s: float
    score: float
    box: NDArray[np.float32]
    position: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class Sightings:
    """What the visual memory found, by prompt and then newest first, after it looked through `searched` pictures."""

    header: Header
    searched: int
    sightings: tuple[Sighting, ...]


@dataclass(frozen=True, slots=True)
class QuestionRequest:
    """Asks whether the planner waits for an answer."""

    header: Header


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """The question that waits for an answer, None if none does."""

    header: Header
    question: Question | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's reply to a question: the number of an option (from 1), words that only one option has, or `none`."""

    header: Header
    question_id: str
    text: str


@dataclass(frozen=True, slots=True)
class PublisherInfo:
    """One publisher of a node: its quality of service, messages `sent` and `subscribers` there are. deadline_s: 0 = none."""

    topic: str
    type: str
    depth: int
    latched: bool
    reliable: bool
    deadline_s: float
    lease_s: float
    rate_hz: float
    sent: int
    subscribers: int


@dataclass(frozen=True, slots=True)
class SubscriberInfo:
    """One subscription of a node: its quality of service and its health (`seesay.bus.Stats`).

    publishers: whom it heard, and whether they live. age_p50_ms, age_p99_ms: from sending to the consumer's taking, of the last 256 taken.
    """

    topic: str
    type: str
    depth: int
    reliable: bool
    deadline_s: float
    lease_s: float
    received: int
    dropped: int
    lost: int
    torn: int
    invalid: int
    restarts: int
    late: int
    rate_hz: float
    expected_hz: float
    age_s: float | None
    age_p50_ms: float | None
    age_p99_ms: float | None
    publishers: dict[str, bool]


@dataclass(frozen=True, slots=True)
class GraphRequest:
    """Asks a node what it publishes and subscribes to."""

    header: Header


@dataclass(frozen=True, slots=True)
class GraphReply:
    """The ends of topics of a node's process `pid`, and where another end takes a topic for something else."""

    header: Header
    node: str
    pid: int
    publishers: tuple[PublisherInfo, ...]
    subscribers: tuple[SubscriberInfo, ...]
    mismatches: tuple[str, ...] = ()
