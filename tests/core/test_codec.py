"""Every message class survives the wire; whatever else arrives is a WireError."""

import contextlib
import dataclasses
import json
import typing

import msgpack  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seesay import codec
from seesay import messages as m
from seesay.errors import WireError

text = st.text(max_size=12)
stamp = st.integers(0, 2**62)
unit = st.floats(0, 1, width=32)
number = st.floats(-1e6, 1e6)
side = st.integers(0, 20)


def array(dtype: str, *shape: int, low: float = 0, high: float = 100) -> st.SearchStrategy[typing.Any]:
    elements = st.floats(low, high, width=32) if dtype.startswith("float") else st.integers(int(low), int(high))
    return hnp.arrays(dtype, shape, elements=elements)


source = st.builds(m.Source, camera=text, sequence=stamp, stamp_ns=stamp)
header = st.builds(m.Header, stamp, stamp, text, st.sampled_from(typing.get_args(m.Clock)), st.none() | source)
unit_quaternion = (
    st.tuples(*[st.floats(-1, 1)] * 4).map(np.array).filter(lambda q: np.linalg.norm(q) > 0.1).map(lambda q: q / np.linalg.norm(q))
)
vector = array("float64", 3, low=-9, high=9)
target = st.builds(m.Target, label=text, object_id=stamp, position=vector, extent=vector, stamp_ns=stamp)
obj = st.builds(
    m.Object,
    id=stamp,
    score=unit,
    last_seen_ns=stamp,
    box=array("float32", 4),
    position=vector,
    covariance=array("float64", 3, 3),
    extent=vector,
    source=source,
    alternatives=st.lists(st.builds(m.Alternative, score=unit), max_size=2).map(tuple),
    mask_counts=side.flatmap(lambda n: array("uint32", n * 20)),
)

example = st.builds(m.Example, st.tuples(st.integers(1, 20), st.integers(1, 20)).flatmap(lambda size: array("uint8", *size, 3)))
own = st.none() | unit
variants = st.lists(example, max_size=2).map(tuple)
prompt = st.builds(m.Prompt, text, st.sampled_from([(), ("a {}", "{}")]), variants, unit, own, own, own, st.booleans())
axis = st.sampled_from(list(np.eye(3)))
bearing = st.builds(
    m.Bearing, score=unit, box=array("float32", 4), origin=vector, direction=axis, covariance=array("float64", 3, 3),
    source=source,
    alternatives=st.lists(st.builds(m.Alternative, score=unit), max_size=2).map(tuple),
)


@st.composite
def image(draw: st.DrawFn) -> m.Image:
    encoding: m.Encoding = draw(st.sampled_from(typing.get_args(m.Encoding)))
    shape = (draw(st.integers(1, 40)), draw(st.integers(1, 40)))
    dtype = {"16UC1": "uint16", "32FC1": "float32"}.get(encoding, "uint8")
    data = draw(hnp.arrays(dtype, (*shape, 3) if encoding in ("rgb8", "bgr8") else shape))
    return m.Image(draw(header), encoding, data)


@st.composite
def detections(draw: st.DrawFn) -> m.Detections:
    n = draw(side)
    indices = draw(array("int32", n, high=1))
    fields = (array("float32", n, 4), array("float32", n, high=1))
    parents = draw(st.sampled_from([np.zeros(0, np.int32), np.arange(-1, n - 1, dtype=np.int32)]))
    return m.Detections(draw(header), 1, ("a", "b"), draw(text), 240, 320, draw(fields[0]), draw(fields[1]), indices, parents=parents)


@st.composite
def masks(draw: st.DrawFn) -> m.Masks:
    n = draw(side)
    counts = draw(side.flatmap(lambda k: array("uint32", k * 20)))
    return m.Masks(draw(header), 1, tuple("p" * n), "clip", 240, 320, counts, draw(array("uint32", n + 1)), draw(array("float32", n)))


@st.composite
def embeddings(draw: st.DrawFn) -> m.Embeddings:
    p = draw(side)
    vectors = draw(array("int8", p, draw(st.integers(1, 40)), low=-127, high=127))
    gain, offset, boxes = draw(array("float32", p)), draw(array("float32", p)), draw(array("float32", p, 4))
    return m.Embeddings(draw(header), draw(text), 240, 320, vectors, gain, offset, boxes)


@st.composite
def prompt_vectors(draw: st.DrawFn) -> m.PromptVectors:
    prompts = tuple(draw(st.lists(text, max_size=3)))
    return m.PromptVectors(draw(header), draw(text), draw(unit), prompts, draw(array("float32", len(prompts), 200)))


process = st.builds(m.ProcessStatus, pid=stamp, restarts=stamp, exit_status=st.none() | st.integers(-64, 255))
counts = {"received": stamp, "dropped": stamp, "lost": stamp, "torn": stamp, "invalid": stamp, "restarts": stamp, "late": stamp}
publishing = st.builds(m.PublisherInfo, text, text, stamp, st.booleans(), st.booleans(), unit, unit, unit, stamp, stamp)
subscribing = st.builds(m.SubscriberInfo, depth=stamp, deadline_s=unit, lease_s=unit, rate_hz=unit, expected_hz=unit, **counts)
intrinsics = st.just(np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]]))
distortion = side.flatmap(lambda n: array("float64", n))
calibration = st.builds(m.CameraInfo, header=header, height=stamp, width=stamp, k=intrinsics, d=distortion)
pose = st.builds(m.Transform, header=header, translation=vector, rotation=unit_quaternion)
sighting = st.builds(m.Sighting, text, source, unit, unit, array("float32", 4), st.none() | vector)
goal = st.builds(m.SkillGoal, header=header, targets=st.dictionaries(text, target, max_size=2))
affordance = st.builds(m.Affordance, probability=unit, goal=st.none() | goal)
STRATEGIES: dict[str, st.SearchStrategy[typing.Any]] = {
    "Image": image(),
    "CompressedImage": st.builds(
        m.CompressedImage, header, st.just("rgb8"), st.just("jpeg"), st.integers(1, 999), st.integers(1, 999),
        side.flatmap(lambda n: array("uint8", n * 50)),
    ),
    "Detections": detections(),
    "Masks": masks(),
    "PromptSet": st.builds(m.PromptSet, header, stamp, st.lists(text | prompt, max_size=3).map(tuple)),
    "Embeddings": embeddings(),
    "PromptVectors": prompt_vectors(),
    "Remembered": st.builds(m.Remembered, header, embeddings(), st.none() | image(), st.none() | calibration, st.none() | pose),
    "Sightings": st.builds(m.Sightings, header, stamp, st.lists(sighting, max_size=3).map(tuple)),
    "CameraInfo": calibration,
    "Transform": pose,
    "Objects": st.builds(
        m.Objects, header=header, objects=st.lists(obj, max_size=3).map(tuple), bearings=st.lists(bearing, max_size=2).map(tuple)
    ),
    "SkillGoal": goal,
    "Affordances": st.builds(m.Affordances, header=header, affordances=st.lists(affordance, max_size=3).map(tuple)),
    "ArmCommand": st.builds(m.ArmCommand, header=header, position=vector, yaw=number, opening=unit),
    "ArmState": st.builds(m.ArmState, header=header, position=vector, yaw=number, opening=unit, grip_force=unit, speed=unit),
    "GraphReply": st.builds(
        m.GraphReply, header, text, stamp, st.lists(publishing, max_size=2).map(tuple), st.lists(subscribing, max_size=2).map(tuple)
    ),
    "LaunchStatus": st.builds(m.LaunchStatus, header=header, processes=st.lists(process, max_size=3).map(tuple)),
    "PlanStep": st.builds(m.PlanStep, header=header, step=stamp, choice=st.none() | stamp, decision_ms=unit, evidence_age_ms=unit),
}


def message_of(name: str) -> st.SearchStrategy[typing.Any]:
    if name in STRATEGIES:
        return STRATEGIES[name]
    whole = {field.name: stamp for field in dataclasses.fields(codec.MESSAGES[name]) if field.type == "int"}
    return st.builds(codec.MESSAGES[name], header=header, **whole)


def assert_same(a: typing.Any, b: typing.Any) -> None:
    """Compare field by field, NaN equal to NaN, arrays with their dtype."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif dataclasses.is_dataclass(a):
        for field in dataclasses.fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            assert_same(left, right)
    elif isinstance(a, dict):
        assert_same(tuple(a.items()), tuple(b.items()))
    else:
        assert a == b or (a != a and b != b)


def test_all_messages_are_known() -> None:
    assert {"Image", "Objects", "PlanStep", "NodeStatus", "ClockTick"} <= set(codec.MESSAGES)
    assert "Header" not in codec.MESSAGES


@pytest.mark.parametrize("name", sorted(codec.MESSAGES))
def test_round_trip(name: typing.Any) -> None:
    @settings(max_examples=25, deadline=None)
    @given(message_of(name))
    def check(message: typing.Any) -> None:
        parts = [bytes(part) for part in codec.encode(message)]
        assert_same(codec.decode(parts, type(message)), message)
        json.loads(codec.to_json(message))

    check()


def picture(height: int = 24, width: int = 32) -> m.Image:
    data = np.arange(height * width * 3, dtype=np.uint32).astype(np.uint8).reshape(height, width, 3)
    return m.Image(m.Header(5, 7, "front_optical", source=m.Source("front", 7, 5)), "rgb8", data)


def test_another_msgpack_library_reads_it() -> None:
    message = picture()
    header_part, pixels = codec.encode(message)
    plain = msgpack.unpackb(header_part)
    assert (plain["type"], plain["schema"], plain["message"]["encoding"]) == ("Image", m.SCHEMA, "rgb8")
    assert plain["message"]["header"]["source"] == {"camera": "front", "sequence": 7, "stamp_ns": 5}
    array = plain["message"]["data"]
    assert array == {"dtype": "uint8", "shape": [24, 32, 3], "part": 1}
    np.testing.assert_array_equal(np.frombuffer(pixels, array["dtype"]).reshape(array["shape"]), message.data)


def test_large_arrays_are_not_copied() -> None:
    message = picture()
    parts = codec.encode(message)
    assert np.shares_memory(np.frombuffer(parts[1], np.uint8), message.data)
    assert np.shares_memory(codec.decode(parts, m.Image).data, message.data)


def test_sliced_and_reversed_arrays_are_sent_as_they_look() -> None:
    message = m.Image(m.Header(0), "bgr8", picture().data[::2, :, ::-1])
    np.testing.assert_array_equal(codec.decode(codec.encode(message), m.Image).data, message.data)


def test_unaligned_parts_become_aligned_arrays() -> None:
    depth = m.Image(m.Header(0), "32FC1", np.random.default_rng(0).random((20, 20)).astype(np.float32))
    header_part, pixels = codec.encode(depth)
    shifted = memoryview(bytearray(b"x" + bytes(pixels)))[1:]
    data = codec.decode([header_part, shifted], m.Image).data
    assert data.flags.aligned
    np.testing.assert_array_equal(data, depth.data)


def forged(**changes: typing.Any) -> bytes:
    plain = msgpack.unpackb(codec.encode(picture())[0])
    for path, value in changes.items():
        *parents, last = path.split("__")
        item = plain
        for key in parents:
            item = item[key]
        item[last] = value
    return bytes(msgpack.packb(plain))


PIXELS = bytes(24 * 32 * 3)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b""],
        [b"\xc1"],
        [b"\xdd\xff\xff\xff\xff"],
        [b"\x91" * 100_000],
        [bytes(2 << 20)],
        [forged(), PIXELS, b"extra"],
        [forged()],
        [forged(), PIXELS[1:]],
        [forged(type="Depth"), PIXELS],
        [forged(schema=99), PIXELS],
        [forged(message__data__dtype="object"), PIXELS],
        [forged(message__data__dtype="float64"), PIXELS],
        [forged(message__data__shape=[2**40, 2**40, 3]), PIXELS],
        [forged(message__data__shape=[-24, -32, 3]), PIXELS],
        [forged(message__data__shape=[0, 0, 0]), b""],
        [forged(message__data__shape=[1] * 9), b"x"],
        [forged(message__data__part=2), PIXELS],
        [forged(message__data__part=-1), PIXELS],
        [forged(message__data=7), PIXELS],
        [forged(message__encoding="jpeg"), PIXELS],
        [forged(message__header__stamp_ns="now"), PIXELS],
        [forged(message={}), PIXELS],
    ],
)
def test_what_is_wrong_is_a_wire_error(parts: typing.Any) -> None:
    with pytest.raises(WireError):
        codec.decode(parts, m.Image)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_messages_decode_or_are_refused(data: typing.Any) -> None:
    name = data.draw(st.sampled_from(sorted(codec.MESSAGES)))
    parts = [bytearray(part) for part in codec.encode(data.draw(message_of(name)))]
    for _ in range(data.draw(st.integers(1, 4))):
        part = parts[data.draw(st.integers(0, len(parts) - 1))]
        part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        codec.decode([bytes(part) for part in parts], codec.MESSAGES[name])


def test_unknown_fields_are_ignored() -> None:
    assert codec.decode([forged(message__later="x"), PIXELS], m.Image).width == 32


def test_only_messages_are_encoded() -> None:
    with pytest.raises(WireError, match="got dict"):
        codec.encode({})
    with pytest.raises(WireError, match="got Source"):
        codec.encode(m.Source("front", 0, 0))


references = st.none() | st.builds(codec.Ref, stamp, stamp, stamp, st.lists(stamp, min_size=1, max_size=4).map(tuple))


@given(text, st.binary(min_size=16, max_size=16), stamp, stamp, text, st.integers(0, 7), references)
def test_envelopes_survive_the_wire(
    node: str, instance: bytes, sequence: int, sent_ns: int, key: str, flags: int, ref: codec.Ref | None
) -> None:
    sent = codec.Envelope(node, instance, sequence, sent_ns, key, flags).carrying(forged(), ref)
    received = codec.Envelope.unpack(sent.pack())
    assert (received.node, received.instance, received.sequence, received.sent_ns) == (node, instance, sequence, sent_ns)
    assert (received.key, received.flags, received.ref) == (key, flags, ref)
    assert codec.decode([received.header, PIXELS], m.Image).width == 32
    assert msgpack.unpackb(sent.pack())[0] == "SeeSay 2"


def test_damaged_envelopes_are_read_or_refused() -> None:
    whole = codec.Envelope("camera", bytes(16), 7, 8, "key").carrying(forged(), codec.Ref(5, 4, 3, (2, 1))).pack()

    @settings(max_examples=300)
    @given(st.binary(max_size=60) | st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)))
    def check(damage: typing.Any) -> None:
        data = damage if isinstance(damage, bytes) else whole[: damage[0]] + bytes([damage[1]]) + whole[damage[0] + 1 :]
        with contextlib.suppress(WireError):
            codec.Envelope.unpack(data)

    check()


@pytest.mark.parametrize("change", [{0: "SeeSay 3"}, {1: "n" * 65}, {2: b"short"}, {3: -1}, {7: [1, 2, 3, []]}, {7: [1, 2, -3, [1]]}])
def test_envelopes_out_of_bounds_are_refused(change: dict[int, typing.Any]) -> None:
    plain = msgpack.unpackb(codec.Envelope("camera", bytes(16), 7, 8).carrying(forged(), codec.Ref(5, 4, 3, (2, 1))).pack())
    for place, value in change.items():
        plain[place] = value
    with pytest.raises(WireError, match="envelope"):
        codec.Envelope.unpack(msgpack.packb(plain))
    with pytest.raises(WireError, match="at most"):
        codec.Envelope.unpack(bytes(codec.MAX_ENVELOPE_BYTES + 1))
