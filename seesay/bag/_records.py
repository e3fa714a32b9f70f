"""The records of an MCAP file, one after the other, as far as the file goes.

The `mcap` package reads whole files; this reads also what a killed recorder or a full disk left: everything up to the first record that
is cut off or damaged. No length in the file is trusted beyond the bytes that are there and `MAX_RECORD_BYTES`.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import lz4.frame
import numpy as np
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Attachment, Channel, Footer, Header, McapRecord, Message, Metadata, MetadataIndex, Schema, Statistics
from mcap.stream_reader import StreamReader

from seesay.errors import BagError

MAGIC = b"\x89MCAP0\r\n"
MAX_RECORD_BYTES = 1 << 28

_LARGE_BYTES = 1 << 16
_HEAD = struct.Struct("<BQ")
_CHUNK = struct.Struct("<QQQII")   # first and last time, size, CRC-32, length of the name of the compression
_LENGTH = struct.Struct("<Q")
_MESSAGE = struct.Struct("<HIQQ")
_FOOTER_BYTES = _HEAD.size + 8 + 8 + 4


_DAMAGED = (McapError, ValueError, OverflowError, EOFError, RuntimeError, struct.error)

_KINDS: dict[int, Any] = {
    Opcode.HEADER: Header,
    Opcode.SCHEMA: Schema,
    Opcode.CHANNEL: Channel,
    Opcode.METADATA: Metadata,
    Opcode.ATTACHMENT: Attachment,
}


class Index(NamedTuple):
    """What the end of a finished file says of it."""

    schemas: dict[int, Schema]
    channels: dict[int, Channel]
    statistics: Statistics
    metadata: list[Metadata]


class _Bounded:
    """A file of which no more is read than it holds: `read` of a file makes room for all that it is asked for before it looks."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self.seek, self.tell, self.readinto = file.seek, file.tell, file.readinto

    def left(self) -> int:
        return max(0, self._size - self.tell())

    def read(self, size: int = -1) -> bytes:
        return self._file.read(self.left() if size < 0 else min(size, self.left()))


def read_summary(path: Path) -> Index | None:
    """Return the index at the end of a file; None if it has none, because it is cut off or damaged."""
    try:
        with open(path, "rb") as file:
            footer = next(_records_from(file, -_FOOTER_BYTES - len(MAGIC), os.SEEK_END), None)
            if not isinstance(footer, Footer) or not footer.summary_start:
                return None
            found: dict[type, list[Any]] = defaultdict(list)
            for record in _records_from(file, footer.summary_start):
                if isinstance(record, Footer):
                    break
                found[type(record)].append(record)
            schemas, channels = ({record.id: record for record in found[kind]} for kind in (Schema, Channel))
            metadata = [next(_records_from(file, place.offset), None) for place in found[MetadataIndex]]
            if not found[Statistics] or not all(isinstance(record, Metadata) for record in metadata):
                return None
            if any(channel.schema_id not in schemas for channel in channels.values()):
                return None
            return Index(schemas, channels, found[Statistics][-1], cast(list[Metadata], metadata))
    except (*_DAMAGED, KeyError, OSError):
        return None


def _records_from(file: BufferedReader, place: int, whence: int = os.SEEK_SET) -> Iterator[McapRecord]:
    """The records from a place on; chunks stay as they are, for how large they become is what a file says."""
    file.seek(place, whence)
    return StreamReader(cast(BinaryIO, _Bounded(file)), skip_magic=True, emit_chunks=True, record_size_limit=MAX_RECORD_BYTES).records


class Records:
    """Iterates over headers, schemas, channels, messages, metadata and attachments of a file's data section, those in chunks included.

    complete: whether the end of the data section was reached; known after the iteration. good_bytes: how many bytes were whole.
    Raises BagError for a file that cannot be opened or is no MCAP file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.complete = False
        self.good_bytes = len(MAGIC)

    def __iter__(self) -> Iterator[McapRecord]:
        try:
            with open(self.path, "rb") as file:
                if file.read(len(MAGIC)) != MAGIC:
                    raise BagError(f"recording {self.path}: expected an MCAP file, got something else; name a .mcap file or its folder")
                yield from self._read(_Bounded(file))
        except OSError as error:
            raise BagError(f"recording {self.path}: {error.strerror}; name a file that can be read") from error

    def _read(self, file: _Bounded) -> Iterator[McapRecord]:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            opcode, length = _HEAD.unpack(head)
            if opcode == Opcode.DATA_END:
                self.complete = True
                return
            if length > MAX_RECORD_BYTES:
                return
            body = np.empty(min(length, file.left()), np.uint8).data
            if file.readinto(body) != length:
                return
            try:
                records = list(_inside(body)) if opcode == Opcode.CHUNK else [_parse(opcode, body)]
            except (*_DAMAGED, zstandard.ZstdError, MemoryError):
                return
            self.good_bytes = file.tell()
            yield from (record for record in records if record is not None)


def _inside(body: memoryview) -> Iterator[McapRecord | None]:
    """The records in a chunk, decompressed to the size that it states and no further."""
    _, _, size, crc, length = _CHUNK.unpack_from(body)
    if size > MAX_RECORD_BYTES:
        raise ValueError("the chunk is too large")
    compression, start = bytes(body[_CHUNK.size : _CHUNK.size + length]), _CHUNK.size + length + _LENGTH.size
    (length,) = _LENGTH.unpack_from(body, start - _LENGTH.size)
    data: bytes | memoryview = body[start : start + length]
    if len(data) != length:
        raise ValueError("the chunk is cut off")
    if compression == b"lz4":
        data = lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=size + 1)
    elif compression == b"zstd":
        with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(data) as stream:
            data = stream.read(size + 1)
    elif compression:
        raise ValueError("unknown compression")
    if len(data) != size or (crc and zlib.crc32(data) != crc):
        raise ValueError("the chunk is damaged")
    at, view = 0, memoryview(data)
    while at < size:
        opcode, length = _HEAD.unpack_from(view, at)
        at += _HEAD.size
        if at + length > size:
            raise ValueError("the chunk is cut off")
        yield _parse(opcode, view[at : at + length])
        at += length


def _parse(opcode: int, body: memoryview) -> McapRecord | None:
    """A record; the data of a large message stay where they are, those of a small one would hold the whole chunk."""
    if opcode == Opcode.MESSAGE:
        channel, sequence, log, publish = _MESSAGE.unpack_from(body)
        data = cast(bytes, body[_MESSAGE.size :]) if len(body) > _LARGE_BYTES else bytes(body[_MESSAGE.size :])
        return Message(channel_id=channel, sequence=sequence, log_time=log, publish_time=publish, data=data)
    stream = ReadDataStream(BytesIO(body))
    kind = _KINDS.get(opcode)
    record: McapRecord | None = None if kind is None else kind.read(stream)
    return record
