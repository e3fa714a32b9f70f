"""The decoders that `benchmarks.fuzz` feeds, and valid examples of what each reads."""

from __future__ import annotations

import copy
import dataclasses
import functools
import struct
import types
import typing
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import msgpack  # type: ignore[import-untyped]
import numpy as np

from benchmarks import fuzz_files
from benchmarks.fuzz_files import HEADER
from seesay import codec, masks, messages
from seesay._link import STAMPS, Greeting, head, names, read_head, read_names, read_reason, read_stamps
from seesay._pictures import compress, decompress
from seesay._ring import _RING, RingReader, RingWriter
from seesay._terms import Terms
from seesay.calls import CallHead, Kind
from seesay.messages import CompressedImage, Encoding, Header, Image, Source
from seesay.topics import TOPICS

VALUES: list[Any] = [
    None, True, 0, -1, 7, 1 << 31, (1 << 63) - 1, -(1 << 63), (1 << 64) - 1, 0.5, -1e300, float("nan"), float("inf"),
    "", "x" * 2000, "rgb8", "png", "uint8", "float64", "object", b"", bytes(600), [], {}, [1] * 300, [1 << 40, 1 << 40, 3], [-1, -1], [0],
    [[[[[[[[]]]]]]]], {"a": 1}, {"dtype": "uint8", "shape": [3], "data": b"abc"}, {"dtype": "float64", "shape": [3], "data": bytes(24)},
    {"dtype": "uint32", "shape": [0]}, {"dtype": "uint8", "shape": [768], "part": 1}, {"dtype": "uint8", "shape": [1 << 62], "part": 2},
]  # fmt: skip
_KINDS = sorted(codec.MESSAGES)


def join(parts: Sequence[codec.Part]) -> bytes:
    """Parts as one input, each with its length before it."""
    return b"".join(struct.pack("<H", len(part)) + bytes(part) for part in parts)


def split(data: bytes) -> list[codec.Part]:
    """The reverse of `join`, for any bytes; at least one part."""
    parts: list[codec.Part] = []
    while len(data) >= 2:
        (size,) = struct.unpack_from("<H", data)
        parts.append(data[2 : 2 + size])
        data = data[2 + size :]
    return parts or [b""]


def sample(kind: Any) -> Any:
    """A value of a type: of a message, one with small arrays of the right kind in its fields."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Header:
        return HEADER
    if origin is np.ndarray:
        return np.zeros(0, typing.get_args(arguments[1])[0])
    if origin is tuple:
        return tuple(sample(part) for part in arguments if part is not ...)
    if origin is dict:
        return {"a": sample(arguments[1])}
    if origin is typing.Literal:
        return arguments[0]
    if origin in (typing.Union, types.UnionType):
        return sample(arguments[0])
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        return _special(kind) or kind(**{field.name: sample(hints[field.name]) for field in dataclasses.fields(kind)})
    return {int: 3, float: 0.5, bool: True, str: "word", bytes: b"x", type(None): None}.get(kind, "word")


def _special(kind: type[Any]) -> Any:
    """Messages whose fields depend on one another."""
    eye, three, four = np.eye(3), np.ones(3), np.array([0, 0, 1, 1], np.float32)
    one, picture = np.ones(1, np.float32), np.zeros((16, 16, 3), np.uint8)
    special: dict[str, Callable[[], Any]] = {
        "Image": lambda: Image(HEADER, "rgb8", picture),
        "CompressedImage": lambda: compress(Image(HEADER, "rgb8", picture)),
        "PromptVectors": lambda: messages.PromptVectors(HEADER, "m", 0.1, ("a",), np.ones((1, 8), np.float32)),
        "CameraInfo": lambda: messages.CameraInfo(HEADER, 16, 16, eye),
        "Transform": lambda: messages.Transform(HEADER, "tool", three, np.array([0.0, 0, 0, 1])),
        "Detections": lambda: messages.Detections(HEADER, 1, ("a",), "m", 16, 16, four[None], one, np.zeros(1, np.int32)),
        "Embeddings": lambda: messages.Embeddings(HEADER, "m", 16, 16, np.ones((1, 8), np.int8), one, one, four[None]),
        "Masks": lambda: messages.Masks(HEADER, 1, ("a",), "m", 4, 4, np.array([7, 9], np.uint32), np.array([0, 2], np.uint32), one),
        "Object": lambda: messages.Object(1, "a", 0.5, four, three, eye, three, 5, Source("front", 6, 5)),
        "Bearing": lambda: messages.Bearing("a", 0.5, four, three, np.array([0.0, 0, 1]), eye, Source("front", 6, 5)),
        "Target": lambda: messages.Target("a", 1, three, three, 5),
        "ArmCommand": lambda: messages.ArmCommand(HEADER, three, 0.5, 0.05),
        "ArmState": lambda: messages.ArmState(HEADER, three, 0.5, 0.05, 0.0, 0.0),
    }
    make = special.get(kind.__name__)
    return make() if make else None


def examples(name: str) -> list[bytes]:
    """Valid inputs of a target."""
    return _EXAMPLES[name]()


def target(name: str) -> Callable[[bytes], object]:
    """The function to call with one input; what it raises by design is a SeeSayError."""
    return _TARGETS[name]


def _codec(data: bytes) -> None:
    if data:
        codec.decode(split(data[1:]), codec.MESSAGES[_KINDS[data[0] % len(_KINDS)]])


def _fields(data: bytes) -> None:
    """A valid message in which some values were replaced: each three bytes say which one, and by what."""
    name = _KINDS[data[0] % len(_KINDS)] if data else "Image"
    tree, *buffers = msgpack.unpackb(_coded(name)[0]), *_coded(name)[1:]
    for at in range(1, min(len(data) - 2, 100), 3):
        places = list(_places(tree["message"])) if isinstance(tree["message"], dict) else []
        if places:
            holder, key = places[int.from_bytes(data[at : at + 2], "little") % len(places)]
            holder[key] = copy.deepcopy(VALUES[data[at + 2] % len(VALUES)])
    codec.decode([msgpack.packb(tree), *buffers], codec.MESSAGES[name])


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every value of a tree, as its container and key."""
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    for key, item in items:
        yield value, key
        yield from _places(item)


@functools.cache
def _coded(name: str) -> tuple[codec.Part, ...]:
    return tuple(codec.encode(sample(codec.MESSAGES[name])))


def _link(data: bytes) -> None:
    parts = split(data)
    kind, _, _ = read_head(parts[0])
    if kind in b"PQ":
        read_stamps(parts)
    elif kind in b"WL":
        read_names(parts)
    elif kind == b"B":
        assert read_reason(parts).isprintable()


def _greeting(data: bytes) -> None:
    Greeting.read([b"", data]).choose(["*"])


def _picture(data: bytes) -> None:
    if data:
        encodings: list[Encoding] = ["rgb8", "mono8", "16UC1", "32FC1"]
        encoding = encodings[data[0] % 4]
        coded = np.frombuffer(data[1:] if data[0] & 4 or encoding == "rgb8" else _mended(data[1:]), np.uint8)
        decompress(CompressedImage(HEADER, encoding, "jpeg" if encoding == "rgb8" else "png", 24, 32, coded))


def _mended(data: bytes) -> bytes:
    """A PNG whose checksums are right, whatever else is wrong."""
    work, at = bytearray(data), 8
    while at + 12 <= len(work):
        end = at + 12 + min(int.from_bytes(work[at : at + 4], "big"), len(work) - at - 12)
        work[end - 4 : end] = zlib.crc32(work[at + 4 : end - 4]).to_bytes(4, "big")
        at = end
    return bytes(work)


def _ring(data: bytes) -> None:
    """What a publisher says of its ring, and where a message lies in it."""
    whole = data[: _RING.size + 13].ljust(_RING.size + 13, b"\0")
    reader = RingReader(whole[: _RING.size], _sealed())
    generation, slot, size = struct.unpack_from("<QBI", whole, _RING.size)
    reader.find(codec.Ref(reader.id, generation, slot, (size,) * (len(data) - _RING.size - 12))).copy()


@functools.cache
def _sealed() -> int:
    """A ring of one slot of 4 KiB."""
    return RingWriter(1, 4096).descriptor


def _masks(data: bytes) -> None:
    height, width, first, *_ = np.frombuffer(data[:12].ljust(12, b"\0"), np.uint32).tolist()
    words = np.frombuffer(data[12 : 12 + (len(data) - 12) // 4 * 4] if len(data) > 12 else b"", np.uint32)
    masks.decode(words[first % 64 :], words[: first % 64], height, width)


def _pictures() -> list[bytes]:
    ramp = np.add.outer(np.arange(24), np.arange(32)).astype(np.uint8)
    images = [
        Image(HEADER, "rgb8", np.stack([ramp] * 3, axis=2)), Image(HEADER, "mono8", ramp),
        Image(HEADER, "16UC1", ramp.astype(np.uint16)), Image(HEADER, "32FC1", ramp.astype(np.float32)),
    ]  # fmt: skip
    return [bytes([number]) + compress(image).data.tobytes() for number, image in enumerate(images)]


_TARGETS: dict[str, Callable[[bytes], object]] = {
    "codec": _codec,
    "fields": _fields,
    "envelope": codec.Envelope.unpack,
    "call": CallHead.unpack,
    "link": _link,
    "greeting": _greeting,
    "picture": _picture,
    "masks": _masks,
    "terms": lambda data: Terms.unpack(data.decode(errors="replace")),
    "ring": _ring,
    **fuzz_files.TARGETS,
}
_EXAMPLES: dict[str, Callable[[], list[bytes]]] = {
    "codec": lambda: [bytes([number]) + join(codec.encode(sample(codec.MESSAGES[kind]))) for number, kind in enumerate(_KINDS)],
    "fields": lambda: [bytes([number]) for number in range(len(_KINDS))],
    "envelope": lambda: [
        codec.Envelope("camera", bytes(16), 7, 8, "key").carrying(codec.NOTHING).pack(),
        codec.Envelope("a", b"\xff" * 16, 1, 2, flags=codec.REPLAY).carrying(b"\x81\xa1a\x01", codec.Ref(5, 4, 3, (2, 1))).pack(),
    ],
    "call": lambda: [CallHead(kind, bytes(16), 5, 1, "why").pack() for kind in Kind],
    "link": lambda: [
        join([head(b"P"), STAMPS.pack(1, 2, 3)]), join(names(b"W", ["prompts", "camera/front/image"])), join([head(b"B"), b"\x1b[31mgone"]),
        join([head(b"M", 7, "prompts"), b"x"]),
    ],
    "greeting": lambda: [bytes(Greeting.of(TOPICS.values()).parts()[1]), bytes(Greeting.of(()).parts()[1])],
    "picture": _pictures,
    "masks": lambda: [struct.pack("<7I", 4, 4, 2, 0, 2, 7, 9), struct.pack("<10I", 2, 3, 3, 0, 2, 4, 1, 5, 0, 6)],
    "terms": lambda: [Terms.of("detector", topic).pack().encode() for topic in TOPICS.values()],
    "ring": lambda: [_RING.pack(7, 1, 4096) + struct.pack("<QBI", 2, 0, 100)],
    **fuzz_files.EXAMPLES,
}  # fmt: skip

cv2.setNumThreads(1)
