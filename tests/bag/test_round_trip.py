"""What is recorded is what is read, of every type and bit by bit; other readers of MCAP and CDR see the same."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Any

import cv2
import mcap.reader
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType, Writer
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from seesay import codec, topics
from seesay.bag._definitions import OWN, schema_text, type_hash
from seesay.bag._rosbag2 import FileInfo, TopicInfo, metadata_yaml, qos_text, write_metadata
from seesay.bag.coder import Coder, Decoder, source_of
from seesay.bag.reader import BagReader
from seesay.errors import WireError
from seesay.messages import CameraInfo, ClockTick, Detections, Encoding, Header, Image, Object, Objects, PromptSet, Source, Transform
from seesay.topics import TOPICS
from tests.bag.things import DAY_NS, FRONT, picture, read, write
from tests.core.test_codec import distortion, header, intrinsics, message_of

pixels = st.integers(1, 16384)
CAMERA_INFO = st.builds(CameraInfo, header=header, height=pixels, width=pixels, k=intrinsics, d=distortion)
fresh = itertools.count()


def same(a: Any, b: Any) -> bool:
    """Whether two messages are the same bytes on the wire, payloads of NaN included."""
    return [bytes(part) for part in codec.encode(a)] == [bytes(part) for part in codec.encode(b)]


def there_and_back(topic: topics.Topic[Any], message: Any, coder: Coder) -> Any:
    decoder = Decoder()
    found = []
    for entry in coder.encode(topic, message):
        channel = entry.channel
        metadata = {"seesay_topic": channel.topic, "seesay_part": channel.part}
        source = source_of(channel.ros_topic, channel.ros_type, schema_text(channel.ros_type), metadata)
        assert source.part == channel.part
        assert source.topic == channel.topic or channel.part == "header"
        found += decoder.decode(source, entry.number, entry.data)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_every_recorded_type(topic: topics.Topic[Any]) -> None:
    strategy = CAMERA_INFO if topic.type is CameraInfo else message_of(topic.type.__name__)

    @settings(max_examples=30, deadline=None)
    @given(strategy, st.integers(-DAY_NS, DAY_NS))
    def check(message: Any, offset_ns: int) -> None:
        concrete = topic.of(camera="front-left") if "{" in topic.name else topic
        assert same(there_and_back(concrete, message, Coder(offset_ns)), message)

    check()


def test_every_type_of_the_table_has_a_definition() -> None:
    kinds = {topic.type for topic in TOPICS.values()}
    assert kinds == {*OWN.values(), Image, CameraInfo, Transform, ClockTick}


def test_vision_msgs_are_those_of_ros() -> None:
    """The hashes that ROS Jazzy's generated code states. They cover every field of these types and of all that they use."""
    assert type_hash("vision_msgs/msg/Detection2DArray") == "RIHS01_214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968"
    assert type_hash("vision_msgs/msg/Detection3DArray") == "RIHS01_793f5eab9595ac1c0da07873cc859db42eae51f0ee76056db8562515d830e018"


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono8", "16UC1", "32FC1"])
def test_png_and_depth_lose_nothing(tmp_path: Path, encoding: Any) -> None:
    image = picture(3, encoding=encoding)
    write(tmp_path / "png", [(FRONT, image, 1)], pictures="png")
    write(tmp_path / "jpeg", [(FRONT, image, 1)], pictures="jpeg")
    assert same(read(tmp_path / "png")[0].message, image)
    assert same(read(tmp_path / "jpeg")[0].message, image) == (encoding not in ("rgb8", "bgr8"))


def test_jpeg_keeps_colours_and_header(tmp_path: Path) -> None:
    data = np.zeros((32, 48, 3), np.uint8)
    data[:, :24] = (200, 40, 20)
    image = Image(picture().header, "rgb8", data)
    write(tmp_path / "bag", [(FRONT, image, 1)], pictures="jpeg")
    got = read(tmp_path / "bag")[0].message
    assert got.header == image.header
    assert np.abs(got.data.astype(int) - data).mean() < 3
    with open(tmp_path / "bag" / "bag_0.mcap", "rb") as file:
        channels = [channel.topic for _, channel, _ in mcap.reader.make_reader(file).iter_messages()]
    assert channels == ["/seesay/headers", "/camera/front/image/compressed"]


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One message of several kinds, recorded on a host that is up for a second, at DAY_NS."""
    path = tmp_path_factory.mktemp("bags") / "bag"
    seen = Source("front", 1, 10**8)
    cup = Object(7, "cup", 0.5, np.zeros(4, np.float32), np.array([0.1, 0.2, 0.3]), np.eye(3), np.array([0.4, 0.5, 0.6]), 9, seen)
    boxes = np.array([[10, 20, 30, 60]], np.float32)
    ones = np.ones(1, np.float32), np.ones(1, np.int32)
    seen_boxes = Detections(Header(10**8), 1, ("a", "cup"), "m", 24, 32, boxes, *ones)
    info = CameraInfo(Header(10**8, frame_id="front_optical"), 24, 32, np.array([[30.0, 0, 16], [0, 31, 12], [0, 0, 1]]))
    pose = Transform(Header(10**8, frame_id="world"), "front_optical", np.array([1.0, 2, 3]), np.array([0.0, 0, 0, 1]), static=True)
    messages: list[tuple[topics.Topic[Any], Any, int]] = [
        (topics.CAMERA_INFO.of(camera="front"), info, 10**8),
        (topics.TRANSFORMS, pose, 10**8),
        (FRONT, picture(), 10**8),
        (topics.DEPTH.of(camera="front"), picture(1, encoding="16UC1"), 10**8),
        (topics.DETECTIONS, seen_boxes, 2 * 10**8),
        (topics.OBJECTS, Objects(Header(10**8, frame_id="world"), (cup,)), 3 * 10**8),
        (topics.PROMPTS, PromptSet(Header(1), 1, ("cup",)), 4 * 10**8),
    ]
    write(path, messages, offset_ns=DAY_NS)
    return path


def test_rosbags_reads_standard_messages(bag: Path) -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    with Reader(bag) as reader:
        types = {}
        for connection in reader.connections:
            types.update(get_types_from_msg(connection.msgdef.data, connection.msgtype))   # what the file itself says
        store.register({name: fields for name, fields in types.items() if name not in store.types})
        found: dict[str, tuple[int, Any]] = {
            connection.topic: (time, store.deserialize_cdr(raw, connection.msgtype)) for connection, time, raw in reader.messages()
        }
        assert reader.duration == 3 * 10**8 + 1
    time, image = found["/camera/front/image"]
    assert time == DAY_NS + 10**8
    assert (image.header.stamp.sec, image.header.stamp.nanosec) == divmod(DAY_NS + 10**8, 10**9)
    assert (image.header.frame_id, image.encoding, image.height, image.width, image.step) == ("front_optical", "rgb8", 24, 32, 96)
    np.testing.assert_array_equal(image.data.reshape(24, 32, 3), picture().data)
    depth = found["/camera/front/depth"][1]
    np.testing.assert_array_equal(depth.data.view(np.uint16).reshape(24, 32), picture(1, encoding="16UC1").data)
    np.testing.assert_array_equal(found["/camera/front/camera_info"][1].k.reshape(3, 3)[0], [30, 0, 16])
    transform = found["/tf_static"][1].transforms[0]
    assert (transform.header.frame_id, transform.child_frame_id, transform.transform.translation.z) == ("world", "front_optical", 3)
    box = found["/detections/vision_msgs"][1].detections[0]
    assert (box.results[0].hypothesis.class_id, box.bbox.center.position.x, box.bbox.size_y) == ("cup", 20, 40)
    thing = found["/objects/vision_msgs"][1].detections[0]
    assert (thing.id, thing.results[0].hypothesis.score, thing.bbox.center.position.z, thing.bbox.size.x) == ("7", 0.5, 0.3, 0.4)
    assert [one.text for one in found["/prompts"][1].prompts] == [["cup"]]


def test_the_mcap_package_reads_the_file(bag: Path) -> None:
    with open(bag / "bag_0.mcap", "rb") as file:
        reader = mcap.reader.make_reader(file, validate_crcs=True)
        assert reader.get_header().profile == "ros2"
        entries = list(reader.iter_messages())
        names = {record.name for record in reader.iter_metadata()}
    assert {(channel.message_encoding, schema.encoding) for schema, channel, _ in entries if schema} == {("cdr", "ros2msg")}
    assert names == {"seesay.recording", "rosbag2"}
    schemas = {schema.name: schema.data.decode() for schema, _, _ in entries if schema}
    assert schemas["sensor_msgs/msg/Image"].startswith("std_msgs/Header header\nuint32 height\nuint32 width\nstring encoding\n")
    assert "MSG: seesay_msgs/SeenObject\n" in schemas["seesay_msgs/msg/Objects"]


@pytest.mark.parametrize("compression", CompressionType, ids=lambda compression: compression.name)
def test_large_pictures_of_any_chunk_are_whole_and_ones_own(compression: CompressionType, tmp_path: Path) -> None:
    encodings: tuple[Encoding, ...] = ("rgb8", "32FC1", "16UC1")
    pictures = [picture(number, encoding=encoding, height=211, width=323) for number, encoding in enumerate(encodings, 1)]
    write(tmp_path / "plain", [(FRONT, image, image.header.stamp_ns) for image in pictures])
    with open(tmp_path / "plain" / "plain_0.mcap", "rb") as file, open(tmp_path / "other.mcap", "wb") as output:
        writer = Writer(output, 300_000, compression)
        writer.start("ros2")
        for schema, channel, message in mcap.reader.make_reader(file).iter_messages():
            assert schema is not None
            kind = writer.register_schema(schema.name, schema.encoding, schema.data)
            number = writer.register_channel(channel.topic, "cdr", kind, channel.metadata)
            writer.add_message(number, message.log_time, message.data, message.publish_time, message.sequence)
        writer.finish()
    found = [one.message for one in read(tmp_path / "other.mcap")]
    assert all(map(same, found, pictures))
    assert len(found) == len(pictures)
    assert all(image.data.flags.writeable and image.data.flags.aligned and image.data.flags.c_contiguous for image in found)


def test_metadata_is_what_humble_and_later_read(bag: Path) -> None:
    import ruamel.yaml

    information = ruamel.yaml.YAML(typ="safe").load(bag / "metadata.yaml")["rosbag2_bagfile_information"]
    assert (information["version"], information["storage_identifier"]) == (8, "mcap")
    assert information["starting_time"]["nanoseconds_since_epoch"] == DAY_NS + 10**8
    assert information["relative_file_paths"] == ["bag_0.mcap"]
    metadata = {topic["topic_metadata"]["name"]: topic["topic_metadata"] for topic in information["topics_with_message_count"]}
    assert isinstance(metadata["/tf_static"]["offered_qos_profiles"], str)
    assert "durability: 1" in metadata["/tf_static"]["offered_qos_profiles"]
    assert "durability: 2" in metadata["/camera/front/image"]["offered_qos_profiles"]
    assert metadata["/prompts"]["type_description_hash"].startswith("RIHS01_")


def test_metadata_of_many_files_lists_them_all(tmp_path: Path) -> None:
    files = [FileInfo(f"bäg #{number}.mcap", 9, number, 10 * number, 10 * number + 5) for number in range(47)]
    write_metadata(tmp_path, files, [TopicInfo("/a", "std_msgs/msg/Header", qos_text(False), 7)])
    information = yaml.safe_load((tmp_path / "metadata.yaml").read_text(encoding="utf-8"))["rosbag2_bagfile_information"]
    assert information["relative_file_paths"] == [entry["path"] for entry in information["files"]] == [file.name for file in files]
    assert [entry["message_count"] for entry in information["files"]] == list(range(47))
    assert (information["starting_time"]["nanoseconds_since_epoch"], information["duration"]["nanoseconds"]) == (10, 455)
    assert information == yaml.safe_load(metadata_yaml(files, [TopicInfo("/a", "std_msgs/msg/Header", qos_text(False), 7)]))


def test_bags_of_ros_2_are_read(tmp_path: Path) -> None:
    """As `ros2 bag record` makes them: no metadata of ours, padded rows, JPEG, several transforms in a message."""
    from rosbags.rosbag2 import StoragePlugin, Writer

    store = get_typestore(Stores.ROS2_JAZZY)
    types = store.types

    def made(name: str, *values: Any) -> Any:
        return types[name](*values)

    def head(frame: str) -> Any:
        return made("std_msgs/msg/Header", made("builtin_interfaces/msg/Time", 5, 6), frame)

    pixels = np.arange(2 * 8, dtype=np.uint8).reshape(2, 8)
    _, jpeg = cv2.imencode(".jpg", np.full((16, 16, 3), 90, np.uint8))
    turn = made("geometry_msgs/msg/Quaternion", 0, 0, 0, 1)
    still = made("geometry_msgs/msg/Transform", made("geometry_msgs/msg/Vector3", 1, 2, 3), turn)
    frames = [made("geometry_msgs/msg/TransformStamped", head("world"), name, still) for name in ("a", "b")]
    messages = {
        "/cam/image_raw": made("sensor_msgs/msg/Image", head("cam"), 2, 2, "bgr8", 0, 8, pixels.reshape(-1)),
        "/cam/depth": made("sensor_msgs/msg/Image", head("cam"), 1, 2, "16UC1", 1, 4, np.array([0, 1, 1, 0], np.uint8)),
        "/cam/jpg/compressed": made("sensor_msgs/msg/CompressedImage", head("cam"), "bgr8; jpeg compressed bgr8", jpeg.reshape(-1)),
        "/tf": made("tf2_msgs/msg/TFMessage", frames),
        "/clock": made("rosgraph_msgs/msg/Clock", made("builtin_interfaces/msg/Time", 7, 8)),
        "/words": made("std_msgs/msg/String", "hello"),
        "/yuv": made("sensor_msgs/msg/Image", head("cam"), 1, 1, "yuv422", 0, 2, np.zeros(2, np.uint8)),
    }
    with Writer(tmp_path / "ros", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for time, (topic, message) in enumerate(messages.items()):
            connection = writer.add_connection(topic, message.__msgtype__, typestore=store)
            writer.write(connection, time, store.serialize_cdr(message, message.__msgtype__))
    reader = BagReader(tmp_path / "ros")
    found = {f"{one.topic} {number}": one.message for number, one in enumerate(reader.messages())}
    image, depth, jpg, first, second, tick = found.values()
    assert image.header == Header(5 * 10**9 + 6, 0, "cam", "unix")
    np.testing.assert_array_equal(image.data.reshape(2, 6), pixels[:, :6])
    np.testing.assert_array_equal(depth.data, [[1, 256]])
    assert jpg.data.shape == (16, 16, 3)
    assert np.abs(jpg.data.astype(int) - 90).max() <= 2
    assert [first.child_frame_id, second.child_frame_id] == ["a", "b"]
    assert tick.header == Header(7 * 10**9 + 8, 0, clock="sim")
    assert list(found)[2:] == ["cam/jpg 2", "transforms 3", "transforms 4", "clock 5"]
    assert sorted(reader.unread) == ["/words", "/yuv"]
    assert "std_msgs/msg/String cannot be read" in reader.unread["/words"]


def test_another_version_of_a_definition_is_refused_by_name() -> None:
    changed = schema_text("seesay_msgs/msg/PromptSet") + "# changed\n"
    with pytest.raises(WireError, match="another version of SeeSay, whose seesay_msgs/msg/PromptSet differs"):
        source_of("/prompts", "seesay_msgs/msg/PromptSet", changed, {})


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["seesay_msgs/msg/Objects", "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "tf2_msgs/msg/TFMessage"]),
       st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_wire_error(ros_type: str, data: bytes) -> None:
    channel = source_of("/x", ros_type, schema_text(ros_type), {})
    with contextlib.suppress(WireError):
        assert isinstance(Decoder().decode(channel, next(fresh), b"\0\1\0\0" + data), list)


def test_values_that_ros_cannot_hold_are_refused() -> None:
    with pytest.raises(WireError, match="cannot be written as CDR"):
        Coder().encode(topics.PROMPTS, PromptSet(Header(1), 1 << 70, ()))
