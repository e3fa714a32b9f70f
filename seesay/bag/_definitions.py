"""ROS 2 definitions of SeeSay's messages, made from their classes, and the way from a message to CDR and back.

A message `Foo` becomes `seesay_msgs/msg/Foo`, field by field: int is int64, float is float64, an optional value a sequence of at most
one, a dict a sequence of entries, one of several types a message with each of them optional, an array `seesay_msgs/msg/Float32Array`
(shape and data), and a header the `std_msgs/Header` that ROS tools look for, followed by all of ours.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from seesay.bag._vision_msgs import VISION_MSGS
from seesay.codec import DTYPES, MAX_DIMENSIONS
from seesay.errors import WireError
from seesay.messages import CameraInfo, ClockTick, Header, Image, Transform
from seesay.topics import TOPICS

STANDARD = (Image, CameraInfo, Transform, ClockTick)
OWN: dict[str, type[Any]] = {kind.__name__: kind for topic in TOPICS.values() if (kind := topic.type) not in STANDARD}

_NAMES = {"sequence": "seq", "Object": "SeenObject"}  # IDL has keywords of the same name
_PRIMITIVES = {int: "int64", float: "float64", bool: "bool", str: "string"}
_MAX_SECONDS = (1 << 31) - 1

ToStamp = Callable[[Header], int]


@dataclass(frozen=True)
class HeaderOf:
    """The whole header of message number `number` on `topic`, where that is a standard message."""

    header: Header
    topic: str
    number: int


class _Coding(NamedTuple):
    """One field's type in ROS, and its value on the way there and back. Where a header needs it, a stamp for ROS is made of it."""

    name: str
    put: Callable[[Any, ToStamp], Any]
    take: Callable[[Any], Any]


def ros_name(kind: type[Any]) -> str:
    """Return the ROS type of one of our classes, such as seesay_msgs/msg/Objects."""
    return f"seesay_msgs/msg/{_NAMES.get(kind.__name__, kind.__name__)}"


@functools.cache
def store() -> Typestore:
    """The ROS 2 types of Jazzy, vision_msgs and seesay_msgs."""
    made = get_typestore(Stores.ROS2_JAZZY)
    texts = dict(VISION_MSGS)
    for dtype in DTYPES:
        texts[_array_type(dtype)] = f"uint32[] shape\n{dtype}[] data\n"
    for kind in [*OWN.values(), HeaderOf]:
        _describe(kind, texts)
    parsed: dict[str, Any] = {}
    for name, text in texts.items():
        parsed.update(get_types_from_msg(text, name))
    made.register(parsed)
    return made


@functools.cache
def schema_text(ros_type: str) -> str:
    """Return the definition of a type with all that it uses, as MCAP's registry wants it for ros2msg."""
    return store().generate_msgdef(ros_type, ros_version=2)[0]


@functools.cache
def type_hash(ros_type: str) -> str:
    """Return the hash of a definition, RIHS01 of REP 2016."""
    return store().hash_rihs01(ros_type)


def prepare(ros_types: Iterable[str]) -> None:
    """Make now what the first message of each type needs: a moment for all, which a recorder does not have once messages come."""
    for ros_type in ros_types:
        store().get_msgdef(ros_type)
        schema_text(ros_type)
        type_hash(ros_type)


def make(ros_type: str, *values: Any) -> Any:
    """Make a ROS message of its fields in order."""
    return store().types[ros_type](*values)


def to_cdr(ros_type: str, message: Any) -> memoryview:
    """Raises WireError for values that the type cannot hold."""
    try:
        return store().serialize_cdr(message, ros_type)
    except Exception as error:   # struct, Unicode and attribute errors of generated code
        raise WireError(f"{ros_type}: cannot be written as CDR: {error}") from error


def from_cdr(ros_type: str, data: bytes | memoryview) -> Any:
    """Raises WireError for bytes that are not a message of the type. Lengths inside are checked against the bytes that are there."""
    try:
        return store().deserialize_cdr(data, ros_type)
    except Exception as error:
        raise WireError(f"{ros_type}: expected CDR, got {len(data)} bytes that are not: {error}") from error


def to_ros(message: Any, stamp: ToStamp) -> Any:
    """Turn one of our messages into one of seesay_msgs. stamp: the nanoseconds to show to ROS for a header."""
    kind: Any = type(message)
    return _coding(kind).put(message, stamp)


def from_ros(kind: type[Any], message: Any) -> Any:
    """Undo `to_ros`. Raises WireError or MessageError for values that no message of ours has."""
    hint: Any = kind
    return _coding(hint).take(message)


def ros_header(stamp_ns: int, frame_id: str) -> Any:
    """Make a std_msgs/Header; a stamp that ROS cannot hold becomes the nearest that it can."""
    stamp_ns = max(0, min(stamp_ns, _MAX_SECONDS * 10**9))
    return make("std_msgs/msg/Header", make("builtin_interfaces/msg/Time", *divmod(stamp_ns, 10**9)), frame_id)


def _describe(kind: type[Any], texts: dict[str, str]) -> None:
    """Add the definition of a dataclass, and of those in it, to `texts`."""
    if ros_name(kind) in texts:
        return
    hints, lines = get_type_hints(kind), []
    texts[ros_name(kind)] = ""
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        if hint is Header:
            lines += ["std_msgs/Header header", f"{_short(Header)} origin"]
        else:
            lines.append(f"{_coding(hint).name} {_NAMES.get(field.name, field.name)}")
        for inner in _parts(hint):
            _describe(inner, texts)
        if get_origin(hint) is dict:
            item = get_args(hint)[1]
            texts[_entry_type(item)] = f"string key\n{_coding(item).name} value\n"
        for kinds in _choices(hint):
            texts[_choice_type(kinds)] = "".join(f"{_coding(one).name}[<=1] {_word(one).lower()}\n" for one in kinds)
    texts[ros_name(kind)] = "\n".join(lines) + "\n"


def _parts(hint: Any) -> list[type[Any]]:
    """The dataclasses that a type hint names."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return [hint]
    return [kind for part in get_args(hint) if get_origin(hint) is not np.ndarray for kind in _parts(part)]


def _choices(hint: Any) -> list[tuple[Any, ...]]:
    """The types of each union of several in a type hint."""
    kinds = tuple(kind for kind in get_args(hint) if kind is not types.NoneType)
    if get_origin(hint) in (typing.Union, types.UnionType) and len(kinds) > 1:
        return [kinds]
    return [found for part in kinds if get_origin(hint) is not np.ndarray for found in _choices(part)]


@functools.cache
def _coding(hint: Any, /) -> _Coding:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _PRIMITIVES:
        return _Coding(_PRIMITIVES[hint], lambda value, _: hint(value), lambda value: hint(value))
    if origin is Literal:
        return _Coding("string", lambda value, _: value, functools.partial(_one_of, arguments))
    if origin is np.ndarray:
        return _array(get_args(arguments[1])[0])
    if origin is tuple:
        return _sequence(_coding(arguments[0]), "[]", tuple, lambda value: value)
    if origin in (typing.Union, types.UnionType):
        if types.NoneType not in arguments:
            return _choice(arguments)
        (inner,) = (part for part in arguments if part is not types.NoneType)
        return _sequence(
            _coding(inner), "[<=1]", lambda values: next(iter(values), None), lambda value: () if value is None else (value,)
        )
    if origin is dict:
        return _mapping(arguments[1])
    return _dataclass(hint)


def _one_of(allowed: tuple[str, ...], value: str) -> str:
    if value not in allowed:
        raise WireError(f"expected one of {', '.join(allowed)}, got {value[:64]!r}")
    return value


def _sequence(item: _Coding, suffix: str, join: Callable[[Any], Any], split: Callable[[Any], Any]) -> _Coding:
    numeric = item.name in ("int64", "float64", "bool")

    def put(value: Any, stamp: ToStamp) -> Any:
        values = [item.put(part, stamp) for part in split(value)]
        return np.array(values, item.name) if numeric else values

    return _Coding(item.name + suffix, put, lambda values: join([item.take(value) for value in values]))


def _mapping(hint: Any) -> _Coding:
    item, entry = _coding(hint), _entry_type(hint)

    def put(value: Any, stamp: ToStamp) -> Any:
        return [make(entry, key, item.put(part, stamp)) for key, part in value.items()]

    return _Coding(f"{entry.replace('/msg/', '/')}[]", put, lambda entries: {e.key: item.take(e.value) for e in entries})


def _choice(kinds: tuple[Any, ...]) -> _Coding:
    name = _choice_type(kinds)
    items = [(kind, _word(kind).lower(), _coding(kind)) for kind in kinds]

    def put(value: Any, stamp: ToStamp) -> Any:
        return make(name, *([item.put(value, stamp)] if isinstance(value, kind) else [] for kind, _, item in items))

    def take(value: Any) -> Any:
        found = [item.take(one) for _, field, item in items for one in getattr(value, field)]
        if len(found) != 1:
            raise WireError(f"{name}: expected one value, got {len(found)}")
        return found[0]

    return _Coding(name.replace("/msg/", "/"), put, take)


def _array(scalar: Any) -> _Coding:
    dtype = np.dtype(scalar).name
    name = _array_type(dtype)

    def put(value: NDArray[Any], stamp: ToStamp) -> Any:
        return make(name, np.array(value.shape, np.uint32), np.ascontiguousarray(value).reshape(-1))

    def take(value: Any) -> NDArray[Any]:
        shape = tuple(int(side) for side in value.shape)
        if len(shape) > MAX_DIMENSIONS or math.prod(shape) != len(value.data):
            raise WireError(f"{name}: expected at most {MAX_DIMENSIONS} sides that fit {len(value.data)} numbers, got {shape[:8]}")
        array: NDArray[Any] = np.array(value.data, dtype).reshape(shape)
        return array

    return _Coding(name.replace("/msg/", "/"), put, take)


def _dataclass(kind: type[Any]) -> _Coding:
    hints = get_type_hints(kind)
    fields = [(field.name, _NAMES.get(field.name, field.name), hints[field.name]) for field in dataclasses.fields(kind)]

    def put(value: Any, stamp: ToStamp) -> Any:
        values: list[Any] = []
        for name, _, hint in fields:
            part = getattr(value, name)
            if hint is Header:
                values.append(ros_header(stamp(part), part.frame_id))
            values.append(_coding(hint).put(part, stamp))
        return make(ros_name(kind), *values)

    def take(value: Any) -> Any:
        parts = {name: _coding(hint).take(value.origin if hint is Header else getattr(value, ros)) for name, ros, hint in fields}
        return kind(**parts)

    return _Coding(_short(kind), put, take)


def _short(kind: type[Any]) -> str:
    return ros_name(kind).replace("/msg/", "/")


def _array_type(dtype: str) -> str:
    return f"seesay_msgs/msg/{dtype.capitalize()}Array"


def _entry_type(hint: Any) -> str:
    return f"seesay_msgs/msg/{_word(hint)}Entry"


def _choice_type(kinds: tuple[Any, ...]) -> str:
    return f"seesay_msgs/msg/{'Or'.join(map(_word, kinds))}"


def _word(kind: Any) -> str:
    return "Text" if kind is str else kind.__name__
