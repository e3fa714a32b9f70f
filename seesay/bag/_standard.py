"""Pictures, calibrations, transforms and ticks as standard ROS 2 messages and back, and vision_msgs views of detections and objects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from seesay._pictures import jpeg_layout, png_layout
from seesay.bag._definitions import ToStamp, make, ros_header
from seesay.errors import WireError
from seesay.messages import (
    MAX_PICTURE_PIXELS,
    MAX_SIDE,
    CameraInfo,
    ClockTick,
    Detections,
    Encoding,
    Header,
    Image,
    Objects,
    Transform,
)

Pictures = Literal["raw", "png", "jpeg"]

_PIXELS = {"rgb8": ("<u1", 3), "bgr8": ("<u1", 3), "mono8": ("<u1", 1), "16UC1": ("<u2", 1), "32FC1": ("<f4", 1)}
_ALIASES = {"8UC1": "mono8", "mono16": "16UC1", "8UC3": "bgr8"}
_PNG_FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]


def image_to_ros(image: Image, header: Any) -> Any:
    """sensor_msgs/Image, row by row, little-endian."""
    rows = np.ascontiguousarray(image.data)
    data = rows.reshape(-1).view(np.uint8)
    return make("sensor_msgs/msg/Image", header, image.height, image.width, image.encoding, 0, data.size // image.height, data)


def image_from_ros(message: Any, header: Header) -> Image:
    """Rows may be padded, numbers big-endian. Raises WireError for sizes that do not fit and encodings that are not ours."""
    encoding = _encoding(message.encoding)
    kind, channels = _PIXELS[encoding]
    dtype = np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<")
    height, width, step = int(message.height), int(message.width), int(message.step)
    row = width * channels * dtype.itemsize
    _check_size(height, width)
    if step < row or step * height != len(message.data):
        raise WireError(f"Image: expected {height} rows of at least {row} bytes, got {len(message.data)} bytes in rows of {step}")
    rows = np.asarray(message.data, np.uint8).reshape(height, step)[:, :row]
    pixels = np.require(np.ascontiguousarray(rows).view(dtype), dtype.newbyteorder("="), ["C", "A", "W"])
    return Image(header, encoding, pixels.reshape((height, width, 3) if channels == 3 else (height, width)))


def coded(image: Image, pictures: Pictures, quality: int) -> tuple[str, NDArray[np.uint8]] | None:
    """The `format` and data of sensor_msgs/CompressedImage, or None for what is kept raw: depth always, for it may lose nothing."""
    if pictures == "raw" or image.encoding in ("16UC1", "32FC1"):
        return None
    colour = image.encoding != "mono8"
    pixels = cv2.cvtColor(image.data, cv2.COLOR_RGB2BGR) if image.encoding == "rgb8" else image.data
    name = "jpeg" if pictures == "jpeg" and colour else "png"
    _, data = cv2.imencode(f".{name}", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality] if name == "jpeg" else _PNG_FAST)
    return f"{image.encoding}; {name} compressed {'bgr8' if colour else 'mono8'}", data.reshape(-1)


def image_from_coded(message: Any, header: Header) -> Image:
    """Undo `coded`. Raises WireError for what is not a baseline JPEG or a plain PNG of an encoding of ours; its size is read first."""
    encoding = _encoding(message.format.partition(";")[0].strip())
    data = np.asarray(message.data, np.uint8)
    raw = data.tobytes()
    channels, bits = _PIXELS[encoding][1], 16 if encoding == "16UC1" else 8
    height, width, *found = jpeg_layout(raw) if raw.startswith(b"\xff\xd8") else png_layout(raw)
    _check_size(height, width)
    if found != [channels, bits] or encoding == "32FC1":
        raise WireError(f"CompressedImage: expected {channels} channels of {bits} bits for {encoding}, got {found}")
    flags = (cv2.IMREAD_COLOR_RGB if encoding == "rgb8" else cv2.IMREAD_COLOR) if channels == 3 else cv2.IMREAD_UNCHANGED
    try:
        pixels = cv2.imdecode(data, flags | (cv2.IMREAD_IGNORE_ORIENTATION if channels == 3 else 0))
    except cv2.error as error:
        raise WireError(f"CompressedImage: OpenCV refuses the picture: {error.err}") from error
    if pixels is None or pixels.shape[:2] != (height, width):
        raise WireError("CompressedImage: the picture is damaged")
    return Image(header, encoding, pixels)


def camera_info_to_ros(info: CameraInfo, header: Any) -> Any:
    """sensor_msgs/CameraInfo of an unrectified camera: r is the identity, p is k."""
    p = np.hstack([info.k, np.zeros((3, 1))]).reshape(-1)
    region = make("sensor_msgs/msg/RegionOfInterest", 0, 0, 0, 0, False)
    calibration = (info.d, info.k.reshape(-1), np.eye(3).reshape(-1), p)
    return make("sensor_msgs/msg/CameraInfo", header, info.height, info.width, info.distortion_model, *calibration, 0, 0, region)


def camera_info_from_ros(message: Any, header: Header) -> CameraInfo:
    """Undo `camera_info_to_ros`. Raises MessageError for a camera that is not calibrated."""
    k, d = np.array(message.k, np.float64).reshape(3, 3), np.array(message.d, np.float64)
    return CameraInfo(header, int(message.height), int(message.width), k, d, message.distortion_model)


def transform_to_ros(transform: Transform, header: Any) -> Any:
    """tf2_msgs/TFMessage of one transform."""
    pose = make("geometry_msgs/msg/Transform", _vector(transform.translation), _quaternion(transform.rotation))
    return make("tf2_msgs/msg/TFMessage", [make("geometry_msgs/msg/TransformStamped", header, transform.child_frame_id, pose)])


def transforms_from_ros(message: Any, headers: Sequence[Header], static: bool) -> list[Transform]:
    """The transforms of a tf2_msgs/TFMessage, with a header for each."""
    made = []
    for stamped, header in zip(message.transforms, headers, strict=True):
        t, r = stamped.transform.translation, stamped.transform.rotation
        translation, rotation = np.array([t.x, t.y, t.z], np.float64), np.array([r.x, r.y, r.z, r.w], np.float64)
        made.append(Transform(header, stamped.child_frame_id, translation, rotation, static))
    return made


def tick_to_ros(tick: ClockTick, header: Any) -> Any:
    """rosgraph_msgs/Clock."""
    return make("rosgraph_msgs/msg/Clock", header.stamp)


def detections_view(detections: Detections, stamp: ToStamp) -> Any:
    """vision_msgs/Detection2DArray: centre and size in pixels; class_id is the text of the prompt."""
    header = ros_header(stamp(detections.header), detections.header.frame_id)
    made = []
    for box, score, index in zip(detections.boxes.astype(float), detections.scores, detections.prompt_indices, strict=True):
        x0, y0, x1, y1 = box.tolist()
        centre = make("vision_msgs/msg/Pose2D", make("vision_msgs/msg/Point2D", (x0 + x1) / 2, (y0 + y1) / 2), 0.0)
        bbox = make("vision_msgs/msg/BoundingBox2D", centre, x1 - x0, y1 - y0)
        nowhere = _pose_with_covariance(_vector(np.zeros(3), "Point"), np.zeros((3, 3)))
        results = [_hypothesis(detections.prompts[int(index)], float(score), nowhere)]
        made.append(make("vision_msgs/msg/Detection2D", header, results, bbox, ""))
    return make("vision_msgs/msg/Detection2DArray", header, made)


def objects_view(objects: Objects, stamp: ToStamp) -> Any:
    """vision_msgs/Detection3DArray: all labels of each object, its pose with covariance, extent and id."""
    header = ros_header(stamp(objects.header), objects.header.frame_id)
    made = []
    for thing in objects.objects:
        turn = np.array([0.0, 0.0, math.sin(thing.yaw / 2), math.cos(thing.yaw / 2)])
        pose = _pose_with_covariance(_vector(thing.position, "Point"), thing.covariance, turn)
        labels = [(thing.label, thing.score), *((other.label, other.score) for other in thing.alternatives)]
        bbox = make("vision_msgs/msg/BoundingBox3D", pose.pose, _vector(thing.extent))
        results = [_hypothesis(label, score, pose) for label, score in labels]
        made.append(make("vision_msgs/msg/Detection3D", header, results, bbox, str(thing.id)))
    return make("vision_msgs/msg/Detection3DArray", header, made)


def _hypothesis(label: str, score: float, pose: Any) -> Any:
    return make("vision_msgs/msg/ObjectHypothesisWithPose", make("vision_msgs/msg/ObjectHypothesis", label, float(score)), pose)


def _pose_with_covariance(position: Any, covariance: NDArray[np.float64], turn: NDArray[np.float64] | None = None) -> Any:
    whole = np.zeros((6, 6))
    whole[:3, :3] = covariance
    orientation = _quaternion(np.array([0.0, 0.0, 0.0, 1.0]) if turn is None else turn)
    return make("geometry_msgs/msg/PoseWithCovariance", make("geometry_msgs/msg/Pose", position, orientation), whole.reshape(-1))


def _vector(xyz: NDArray[np.float64], kind: str = "Vector3") -> Any:
    return make(f"geometry_msgs/msg/{kind}", *xyz.tolist())


def _quaternion(xyzw: NDArray[np.float64]) -> Any:
    return make("geometry_msgs/msg/Quaternion", *xyzw.tolist())


def _encoding(name: str) -> Encoding:
    encoding = _ALIASES.get(name, name)
    if encoding not in _PIXELS:
        raise WireError(f"Image.encoding: expected one of {', '.join(_PIXELS)}, got {name[:32]!r}")
    return cast(Encoding, encoding)


def _check_size(height: int, width: int) -> None:
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE and height * width <= MAX_PICTURE_PIXELS):
        raise WireError(f"Image: expected sides of 1 to {MAX_SIDE} and at most {MAX_PICTURE_PIXELS} pixels, got {height} x {width}")
