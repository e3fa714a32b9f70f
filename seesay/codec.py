"""Messages to bytes and back: a msgpack header and the raw buffers of the arrays. No pickle; the wire names no class.

The header is the msgpack map `{"type": name, "schema": 1, "message": {field: value}}`. An array is the map
`{"dtype": name, "shape": [...], "data": bytes}` if it is small, else `{"dtype": name, "shape": [...], "part": n}`, and part n (1, 2, ...)
is its buffer, row-major and little-endian. An `Envelope` says who sent a message and when. Any msgpack library reads it.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Sequence
from dataclasses import is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_origin

import msgspec
import numpy as np
from numpy.typing import NDArray

from seesay import messages
from seesay.errors import MessageError, WireError

M = TypeVar("M")
Part = bytes | memoryview

REPLAY, BEAT, FAREWELL = 1, 2, 4
"""Flags of envelopes: a value repeated for a newcomer; no message but a sign of life, whose header is words; the publisher ends."""

NOTHING = b"\xc0"
"""The header of an envelope without a message: nil."""

MAX_HEADER_BYTES = 1 << 20
MAX_ENVELOPE_BYTES = MAX_HEADER_BYTES + (1 << 16)
MAX_PARTS = 4096
MAX_DIMENSIONS = 4
INLINE_BYTES = 512

DType = Literal["int8", "uint8", "uint16", "uint32", "int32", "int64", "float32", "float64"]
DTYPES: dict[str, np.dtype[Any]] = {name: np.dtype(name) for name in get_args(DType)}
_NAMES: dict[np.dtype[Any], DType] = {np.dtype(name): name for name in get_args(DType)}
MESSAGES: dict[str, type[Any]] = {
    name: value
    for name, value in vars(messages).items()
    if isinstance(value, type) and is_dataclass(value) and "header" in value.__dataclass_fields__
}

if sys.byteorder != "little":
    raise ImportError("SeeSay's wire format needs a little-endian machine")


_Natural = Annotated[int, msgspec.Meta(ge=0)]


class Ref(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Where in a publisher's shared memory a message's array buffers lie, one after another at multiples of 64 bytes."""

    ring: _Natural
    generation: _Natural
    slot: _Natural
    sizes: Annotated[tuple[_Natural, ...], msgspec.Meta(min_length=1, max_length=MAX_PARTS)]


class Envelope(msgspec.Struct, array_like=True, gc=False, tag="SeeSay 2"):
    """Who sent a message and when, with its header. On the wire: a msgpack array of "SeeSay 2" and the fields in this order.

    instance: 16 random bytes of the publisher's life, so that a restart is seen. sequence: 1, 2, ... in that life.
    sent_ns: CLOCK_MONOTONIC. flags: see below. ref: where the array buffers are, if not in parts of their own. header: what `encode`
    returns first, or words.
    """

    node: Annotated[str, msgspec.Meta(max_length=64)]
    instance: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    sequence: _Natural
    sent_ns: int
    key: Annotated[str, msgspec.Meta(max_length=256)] = ""
    flags: _Natural = 0
    ref: Ref | None = None
    header: msgspec.Raw = msgspec.Raw()

    def pack(self) -> bytes:
        return _encoder.encode(self)

    @classmethod
    def unpack(cls, data: Part) -> Envelope:
        """Raises WireError unless `data` is an envelope of this version."""
        if len(data) > MAX_ENVELOPE_BYTES:
            raise WireError(f"envelope: expected at most {MAX_ENVELOPE_BYTES} bytes, got {len(data)}")
        try:
            return _envelope_decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise WireError(f"envelope: {error}") from error

    def carrying(self, header: Part, ref: Ref | None = None) -> Envelope:
        """Give it a header, and return it."""
        self.header, self.ref = msgspec.Raw(header), ref
        return self

    def repeated(self) -> Envelope:
        """Return it as that of a value which is repeated for a newcomer."""
        return msgspec.structs.replace(self, flags=self.flags | REPLAY)


class _Array(msgspec.Struct, omit_defaults=True):
    dtype: DType
    shape: Annotated[tuple[_Natural, ...], msgspec.Meta(max_length=MAX_DIMENSIONS)]
    part: int = 0
    data: bytes = b""


class _Head(msgspec.Struct):
    type: str
    schema: int
    message: msgspec.Raw


class _Envelope(msgspec.Struct):
    type: str
    schema: int
    message: Any


class _Picture(msgspec.Struct):
    header: messages.Header
    encoding: messages.Encoding
    data: _Array


class _Image(msgspec.Struct):
    """An Image with its data in the only part: pictures come often, and this takes a third of the general way's time."""

    type: str
    schema: int
    message: _Picture


class _Call(threading.local):
    """The parts of the message being coded by this thread; msgspec's hooks take no argument for it.

    received: the parts, the numbers of those used so far, and whether arrays may be read-only.
    """

    def __init__(self) -> None:
        self.sent: list[Part] = []
        self.received: tuple[Sequence[Part], set[int], bool] = ((), set(), False)


_call = _Call()


def encode(message: Any) -> list[Part]:
    """Return the header and the array buffers of a message. Buffers above 512 bytes are views: do not change the arrays afterwards.

    Raises WireError for anything that is not a message of `seesay.messages`.
    """
    if type(message) is messages.Image and (parts := _encode_image(message)) is not None:
        return parts
    name = type(message).__name__
    if MESSAGES.get(name) is not type(message):
        raise WireError(f"message: expected an instance of one of {', '.join(MESSAGES)}, got {name}")
    _call.sent = []
    try:
        header = _encoder.encode(_Envelope(name, messages.SCHEMA, message))
        if len(header) > MAX_HEADER_BYTES:
            raise WireError(f"{name}: expected a header of at most {MAX_HEADER_BYTES} bytes, got {len(header)}")
        return [header, *_call.sent]
    except (TypeError, ValueError, OverflowError) as error:
        raise WireError(f"{name}: {error}") from error
    finally:
        _call.sent = []


def decode(parts: Sequence[Part], expected: type[M], views: bool = False) -> M:
    """Return the message of type `expected` in `parts`. Large arrays are views of the parts where these are aligned and writable.

    views: they may be views of read-only parts too.

    Raises WireError for any other type or schema, and for whatever is truncated, oversized, inconsistent or out of range.
    """
    if expected is messages.Image and len(parts) == 2 and (image := _decode_image(parts[0], parts[1], views)) is not None:
        return cast(M, image)
    name = expected.__name__
    decoder = _decoders.get(expected)
    if decoder is None:
        raise WireError(f"type: expected one of {', '.join(MESSAGES)}, got {name}")
    if not 1 <= len(parts) <= MAX_PARTS or len(parts[0]) > MAX_HEADER_BYTES:
        raise WireError(f"{name}: expected 1 to {MAX_PARTS} parts and a header of at most {MAX_HEADER_BYTES} bytes")
    used: set[int] = set()
    _call.received = (parts, used, views)
    try:
        head = _head_decoder.decode(parts[0])
        if head.type != name or head.schema != messages.SCHEMA:
            raise WireError(f"expected {name} of schema {messages.SCHEMA}, got {head.type[:64]!r} of schema {head.schema}")
        message: M = decoder.decode(head.message)
        if len(used) != len(parts) - 1:
            raise WireError(f"{name}: expected {len(used)} array buffers, got {len(parts) - 1}")
        return message
    except (msgspec.MsgspecError, MessageError, UnicodeDecodeError, ValueError, OverflowError, RecursionError) as error:
        raise WireError(f"{name}: {error}") from error
    finally:
        _call.received = ((), set(), False)


def to_json(message: Any) -> str:
    """Return any message, or a container of messages, as JSON: arrays as nested lists, what is not finite as null."""
    return _json_encoder.encode(message).decode()


def _encode_array(value: Any) -> _Array:
    name = _NAMES.get(value.dtype) or _NAMES.get(value.dtype.newbyteorder()) if isinstance(value, np.ndarray) else None
    if name is None or value.ndim > MAX_DIMENSIONS:
        kind = f"{value.dtype} of {value.ndim} dimensions" if isinstance(value, np.ndarray) else type(value).__name__
        raise TypeError(f"expected arrays of {', '.join(DTYPES)} with at most {MAX_DIMENSIONS} dimensions, got {kind}")
    array: NDArray[Any] = np.ascontiguousarray(value, DTYPES[name])
    if array.nbytes <= INLINE_BYTES:
        return _Array(name, value.shape, data=array.tobytes())
    _call.sent.append(array.data.cast("B"))
    return _Array(name, value.shape, part=len(_call.sent))


def _decode_array(type_: Any, value: Any) -> NDArray[Any]:
    if not _is_array(type_):
        raise NotImplementedError(f"no decoding of {type_}")
    return _array(msgspec.convert(value, _Array))


def _encode_image(image: messages.Image) -> list[Part] | None:
    """None if that is for the general way: a small picture, or one that has to be copied."""
    data = image.data
    if data.nbytes <= INLINE_BYTES or not data.flags.c_contiguous:
        return None
    array = _Array(_NAMES[data.dtype], data.shape, 1)
    try:
        header = _encoder.encode(_Image("Image", messages.SCHEMA, _Picture(image.header, image.encoding, array)))
    except (TypeError, ValueError, OverflowError):
        return None
    return [header, data.data.cast("B")] if len(header) <= MAX_HEADER_BYTES else None


def _decode_image(header: Part, data: Part, views: bool) -> messages.Image | None:
    """None if that is for the general way, which says what is wrong with it."""
    if len(header) > MAX_HEADER_BYTES:
        return None
    try:
        head = _image_decoder.decode(header)
        picture = head.message
        if head.type == "Image" and head.schema == messages.SCHEMA and picture.data.part == 1:
            return messages.Image(picture.header, picture.encoding, _take(picture.data, data, views))
    except (msgspec.MsgspecError, MessageError, WireError, UnicodeDecodeError, ValueError, RecursionError):
        pass
    return None


def _array(ref: _Array) -> NDArray[Any]:
    """The array that is meant, from the message or the parts that came with it."""
    part = ref.part
    if not part:
        return _take(ref, ref.data, False)
    received, used, views = _call.received
    if part in used or not 1 <= part < len(received):
        raise WireError(f"array: expected each of the {len(received) - 1} buffers once, got number {part}")
    used.add(part)
    return _take(ref, received[part], views)


def _take(ref: _Array, buffer: Part, views: bool) -> NDArray[Any]:
    """The array in `buffer`: a view of it if that is aligned, and writable unless `views` allows that it is not."""
    shape, dtype = ref.shape, DTYPES[ref.dtype]
    if math.prod(shape) * dtype.itemsize != len(buffer):
        raise WireError(f"array: expected {shape} {ref.dtype}, got {len(buffer)} bytes")
    array: NDArray[Any] = np.ndarray(shape, dtype, buffer)
    flags = array.flags
    return array if (views or flags.writeable) and flags.aligned else array.copy()


@cache
def _is_array(type_: Any) -> bool:
    return get_origin(type_) is np.ndarray


def _plain_array(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"expected a message, got {type(value).__name__}")


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_array)
_json_encoder = msgspec.json.Encoder(enc_hook=_plain_array)
_envelope_decoder = msgspec.msgpack.Decoder(Envelope)
_image_decoder = msgspec.msgpack.Decoder(_Image)
_head_decoder = msgspec.msgpack.Decoder(_Head)
_decoders: dict[type[Any], msgspec.msgpack.Decoder[Any]] = {
    kind: msgspec.msgpack.Decoder(kind, dec_hook=_decode_array) for kind in MESSAGES.values()
}
