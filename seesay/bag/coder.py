"""Messages of the bus as the messages of a recording, and back."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from seesay.bag import _standard as standard
from seesay.bag._definitions import OWN, HeaderOf, from_cdr, from_ros, make, prepare, ros_header, ros_name, schema_text, to_cdr, to_ros
from seesay.bag._standard import Pictures
from seesay.errors import MessageError, WireError
from seesay.messages import CameraInfo, Clock, ClockTick, Header, Image, Transform
from seesay.topics import Topic

TOPIC_KEY, PART_KEY = "seesay_topic", "seesay_part"

Part = Literal["message", "header", "view"]

_TYPES = {
    "sensor_msgs/msg/Image": Image,
    "sensor_msgs/msg/CompressedImage": Image,
    "sensor_msgs/msg/CameraInfo": CameraInfo,
    "tf2_msgs/msg/TFMessage": Transform,
    "rosgraph_msgs/msg/Clock": ClockTick,
    **{ros_name(kind): kind for kind in OWN.values()},
}
_VIEWS: Mapping[str, Any] = {
    "Detections": ("vision_msgs/msg/Detection2DArray", standard.detections_view),
    "Objects": ("vision_msgs/msg/Detection3DArray", standard.objects_view),
}
_ROS_TOPICS = {"tf": "transforms", "tf_static": "transforms", "clock": "clock"}
_MAX_PENDING = 4096


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic of the file. `topic` is its name on our bus; `part`: the message itself, the header that a standard one cannot hold, or
    a view of it for ROS tools, which is not read back."""

    ros_topic: str
    ros_type: str
    topic: str
    part: Part = "message"
    latched: bool = False


class Encoded(NamedTuple):
    """One entry of the file. `number` counts the messages of its topic."""

    channel: Channel
    number: int
    data: bytes | memoryview


class Coder:
    """Encodes what a recorder hears. offset_ns is added to stamps of the monotonic clock, so that ROS tools see times of day.

    pictures: "raw" keeps every pixel as it is; "png" too, smaller and slower; "jpeg" of `quality` loses a little. Depth is always raw.
    """

    def __init__(self, offset_ns: int = 0, pictures: Pictures = "raw", quality: int = 90) -> None:
        self._offset_ns = offset_ns
        self._pictures: Pictures = pictures
        self._quality = quality
        self._numbers: Counter[str] = Counter()
        prepare([*_TYPES, ros_name(HeaderOf), *(ros_type for ros_type, _ in _VIEWS.values())])

    def encode(self, topic: Topic[Any], message: Any) -> list[Encoded]:
        """Return the entries for one message, those that the reader needs first before it. Raises WireError if it cannot be written."""
        number, stamp = self._numbers[topic.name], self._stamp
        name, kind = topic.name.replace("-", "_"), type(message)
        if kind.__name__ in OWN:
            entries = [(Channel(f"/{name}", ros_name(kind), topic.name, "message", topic.latched), to_ros(message, stamp))]
            if kind.__name__ in _VIEWS:
                ros_type, view = _VIEWS[kind.__name__]
                entries.append((Channel(f"/{name}/vision_msgs", ros_type, topic.name, "view"), view(message, stamp)))
        else:
            header = HeaderOf(message.header, topic.name, number)
            entries = [
                (Channel("/seesay/headers", ros_name(HeaderOf), "", "header"), to_ros(header, stamp)),
                self._standard(topic, name, message, ros_header(stamp(message.header), message.header.frame_id)),
            ]
        encoded = [Encoded(channel, number, to_cdr(channel.ros_type, value)) for channel, value in entries]
        self._numbers[topic.name] += 1
        return encoded

    def _standard(self, topic: Topic[Any], name: str, message: Any, header: Any) -> tuple[Channel, Any]:
        ros_topic, latched = f"/{name}", topic.latched
        if isinstance(message, Image):
            coded = standard.coded(message, self._pictures, self._quality)
            if coded is None:
                return Channel(ros_topic, "sensor_msgs/msg/Image", topic.name), standard.image_to_ros(message, header)
            channel = Channel(f"{ros_topic}/compressed", "sensor_msgs/msg/CompressedImage", topic.name)
            return channel, make(channel.ros_type, header, *coded)
        if isinstance(message, CameraInfo):
            channel = Channel(ros_topic, "sensor_msgs/msg/CameraInfo", topic.name, latched=latched)
            return channel, standard.camera_info_to_ros(message, header)
        if isinstance(message, Transform):
            channel = Channel("/tf_static" if message.static else "/tf", "tf2_msgs/msg/TFMessage", topic.name, latched=message.static)
            return channel, standard.transform_to_ros(message, header)
        if isinstance(message, ClockTick):
            return Channel("/clock", "rosgraph_msgs/msg/Clock", topic.name), standard.tick_to_ros(message, header)
        raise WireError(f"topic {topic.name}: expected a type of the table of topics, got {type(message).__name__}")

    def _stamp(self, header: Header) -> int:
        return header.stamp_ns + (self._offset_ns if header.clock == "monotonic" else 0)


def source_of(ros_topic: str, ros_type: str, schema: str, metadata: Mapping[str, str]) -> Channel:
    """Tell what a channel of a file is, also of one that `ros2 bag record` made.

    Raises WireError for a type of ours that another version of SeeSay defined, and for types that cannot be read.
    """
    part = metadata.get(PART_KEY, "message")
    if part == "view":
        return Channel(ros_topic, ros_type, metadata.get(TOPIC_KEY, ""), "view")
    if ros_type == ros_name(HeaderOf) or ros_type in _TYPES:
        if ros_type.startswith("seesay_msgs/") and schema != schema_text(ros_type):
            raise WireError(f"{ros_topic}: recorded by another version of SeeSay, whose {ros_type} differs; read it with that version")
        bare = ros_topic.removeprefix("/")
        if ros_type == "sensor_msgs/msg/CompressedImage":
            bare = bare.removesuffix("/compressed")
        topic = metadata.get(TOPIC_KEY) or _ROS_TOPICS.get(bare, bare)
        return Channel(ros_topic, ros_type, topic, "header" if ros_type == ros_name(HeaderOf) else "message", bare == "tf_static")
    raise WireError(f"{ros_topic}: messages of {ros_type} cannot be read; play what can be with --topics")


class Decoder:
    """Decodes the entries of a file in its order."""

    def __init__(self) -> None:
        self._headers: OrderedDict[tuple[str, int], Header] = OrderedDict()

    def decode(self, channel: Channel, number: int, data: bytes | memoryview) -> list[Any]:
        """Return the messages of an entry: none for a header or a view, several for a ROS list of transforms.

        Raises WireError for bytes that are not of the channel's type, or values that no message of ours has.
        """
        if channel.part == "view":
            return []
        value = from_cdr(channel.ros_type, data)
        try:
            if channel.part == "header":
                header: HeaderOf = from_ros(HeaderOf, value)
                self._headers[header.topic, header.number] = header.header
                if len(self._headers) > _MAX_PENDING:
                    self._headers.popitem(last=False)
                return []
            kind = _TYPES[channel.ros_type]
            if kind.__name__ in OWN:
                return [from_ros(kind, value)]
            return self._standard(channel, number, value)
        except (MessageError, ValueError, TypeError, OverflowError) as error:
            raise WireError(f"{channel.ros_topic}: {error}") from error

    def _standard(self, channel: Channel, number: int, value: Any) -> list[Any]:
        ours = self._headers.pop((channel.topic, number), None)
        if channel.ros_type == "tf2_msgs/msg/TFMessage":
            headers = [ours or _from_ros_header(one.header, number) for one in value.transforms]
            return list(standard.transforms_from_ros(value, headers, channel.ros_topic == "/tf_static"))
        if channel.ros_type == "rosgraph_msgs/msg/Clock":
            return [ClockTick(ours or Header(_nanoseconds(value.clock), number, clock="sim"))]
        header = ours or _from_ros_header(value.header, number)
        if channel.ros_type == "sensor_msgs/msg/Image":
            return [standard.image_from_ros(value, header)]
        if channel.ros_type == "sensor_msgs/msg/CompressedImage":
            return [standard.image_from_coded(value, header)]
        return [standard.camera_info_from_ros(value, header)]


def _from_ros_header(header: Any, number: int, clock: Clock = "unix") -> Header:
    return Header(_nanoseconds(header.stamp), number, header.frame_id, clock)


def _nanoseconds(time: Any) -> int:
    return int(time.sec) * 10**9 + int(time.nanosec)


__all__ = ["Channel", "Coder", "Decoder", "Encoded", "Pictures", "source_of"]
