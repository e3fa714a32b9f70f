"""Writes a recording: a folder of MCAP files that are whole up to the last flush whatever happens, and rosbag2's metadata.yaml."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from mcap.writer import CompressionType, Writer

from seesay.bag._definitions import schema_text, type_hash
from seesay.bag._rosbag2 import QOS_KEY, FileInfo, TopicInfo, metadata_yaml, qos_text, write_metadata
from seesay.bag.coder import PART_KEY, TOPIC_KEY, Channel, Encoded
from seesay.errors import BagError

CHUNK_BYTES = 1 << 20


@dataclass
class _Open:
    """The file being written; `pending` bytes are in the chunk that is not written yet."""

    output: _Output
    mcap: Writer
    info: FileInfo
    pending: int = 0
    schemas: dict[str, int] = field(default_factory=dict)
    channels: dict[Channel, int] = field(default_factory=dict)
    topics: dict[Channel, TopicInfo] = field(default_factory=dict)


class BagWriter:
    """A recording being made in the folder `path`, which must not exist yet.

    If that cannot be begun, or is interrupted, nothing is left of it.
    records: named string maps that are repeated at the head of each file. max_bytes, max_seconds: when to begin the next file, 0 = never.
    What was written before the last `flush` survives the death of the process. Every method raises BagError, in one sentence, when the
    disk is full or files cannot be written; the files are then left whole up to the last flush.
    """

    def __init__(self, path: Path, records: Mapping[str, Mapping[str, str]], max_bytes: int = 0, max_seconds: float = 0.0) -> None:
        self.path = path
        self._records = {name: dict(values) for name, values in records.items()}
        self._max_bytes, self._max_ns = max_bytes, int(max_seconds * 1e9)
        self._files: list[FileInfo] = []
        self._topics: dict[Channel, TopicInfo] = {}
        self._file: _Open | None = None
        with self._failing("made"):
            path.mkdir(parents=True)
            try:
                self._begin()
            except BaseException:
                shutil.rmtree(path, ignore_errors=True)
                raise

    @property
    def bytes(self) -> int:
        """What has been written to disk so far."""
        return sum(info.bytes for info in self._files) + (self._file.output.tell() if self._file else 0)

    def write(self, entry: Encoded, log_ns: int, publish_ns: int) -> None:
        """Add an entry with the time of its arrival and that of its sending, in nanoseconds of the recording's time."""
        with self._failing("written"):
            file = self._current()
            info = file.info
            full = self._max_bytes and file.output.tell() + file.pending >= self._max_bytes
            if info.messages and (full or (self._max_ns and log_ns - info.start_ns >= self._max_ns)):
                self._finish()
                self._begin()
                file = self._current()
            channel = file.channels.get(entry.channel) or self._add_channel(file, entry.channel)
            log_ns, publish_ns = max(0, log_ns), max(0, publish_ns)
            file.mcap.add_message(channel, log_ns, cast(bytes, entry.data), publish_ns, entry.number & 0xFFFFFFFF)
            file.pending = 0 if file.output.tell() > file.output.good else file.pending + len(entry.data)
            file.output.good = file.output.tell()
            file.info.count(log_ns)
            self._topics[entry.channel].messages += 1
            file.topics[entry.channel].messages += 1

    def flush(self) -> None:
        """Hand everything to the operating system."""
        with self._failing("written"):
            file = self._current()
            file.mcap.flush()
            file.output.good, file.pending = file.output.tell(), 0

    def note(self, name: str, values: Mapping[str, str]) -> None:
        """Add a named map of strings. The reader gives the last one of each name."""
        with self._failing("written"):
            file = self._current()
            file.mcap.add_metadata(name, dict(values))
            file.output.good = file.output.tell()

    def repeat(self, name: str, values: Mapping[str, str]) -> None:
        """`note` it now and at the head of all files to come."""
        self._records[name] = dict(values)
        self.note(name, values)

    def close(self) -> None:
        """Finish the file and the metadata. May be called twice, and after a failure."""
        if self._file is not None:
            with self._failing("finished"):
                self._finish()

    def _begin(self) -> None:
        path = self.path / f"{self.path.name}_{len(self._files)}.mcap"
        output = _Output(path)
        mcap = Writer(output, CHUNK_BYTES, CompressionType.NONE)   # type: ignore[arg-type]  # it writes, tells and flushes, no more
        mcap.start("ros2", "seesay")
        self._file = _Open(output, mcap, FileInfo(path.name))
        for name, values in self._records.items():
            mcap.add_metadata(name, values)
        self.flush()
        write_metadata(self.path, [*self._files, self._file.info], list(self._topics.values()))

    def _finish(self) -> None:
        file = self._current()
        file.mcap.add_metadata("rosbag2", {"serialized_metadata": metadata_yaml([file.info], list(file.topics.values()))})
        file.mcap.finish()
        self._file = None
        file.output.close()
        file.info.bytes = file.output.tell()
        self._files.append(file.info)
        write_metadata(self.path, self._files, list(self._topics.values()))

    def _add_channel(self, file: _Open, channel: Channel) -> int:
        schema = file.schemas.get(channel.ros_type)
        if schema is None:
            schema = file.mcap.register_schema(channel.ros_type, "ros2msg", schema_text(channel.ros_type).encode())
            file.schemas[channel.ros_type] = schema
        metadata = {
            QOS_KEY: qos_text(channel.latched),
            "topic_type_hash": type_hash(channel.ros_type),
            TOPIC_KEY: channel.topic,
            PART_KEY: channel.part,
        }
        file.channels[channel] = file.mcap.register_channel(channel.ros_topic, "cdr", schema, metadata)
        for topics in (self._topics, file.topics):
            topics.setdefault(channel, TopicInfo(channel.ros_topic, channel.ros_type, metadata[QOS_KEY]))
        return file.channels[channel]

    def _current(self) -> _Open:
        if self._file is None:
            raise BagError(f"recording {self.path}: it is closed; begin another one")
        return self._file

    @contextlib.contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            file, self._file = self._file, None
            if file is not None:
                file.output.abandon()
            cure = "name a folder that does not exist yet" if isinstance(error, FileExistsError) else "free space or name another place"
            raise BagError(f"recording {self.path} cannot be {what}: {error.strerror}; {cure}") from error


class _Output:
    """A file without a buffer of ours: what is written is with the operating system. `good`: how much of it makes sense alone."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._size = self.good = 0

    def write(self, data: bytes) -> int:
        left = memoryview(data)
        while left:
            written = os.write(self._descriptor, left)
            self._size += written
            left = left[written:]
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        os.close(self._descriptor)

    def abandon(self) -> None:
        """Cut off what is not whole and close."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, self.good)
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
