"""Reads recordings: ours, those that were cut off, and MCAP files of `ros2 bag record` with messages that we know."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mcap.records import Channel as ChannelRecord
from mcap.records import Message, Metadata, Schema

from seesay.bag._records import Records, read_summary
from seesay.bag.coder import Channel, Decoder, source_of
from seesay.errors import BagError, WireError
from seesay.messages import Clock

RECORDING = "seesay.recording"
CONFIGURATION = "seesay.configuration"
LOSSES = "seesay.losses"


class Recorded(NamedTuple):
    """One message. `log_ns`: when the recorder got it, on the clock of the recorded session; `topic` is its name on our bus."""

    topic: str
    message: Any
    log_ns: int


@dataclass
class TopicCount:
    """What a recording holds of one topic of the file, and its rate over the length of the recording."""

    topic: str
    type: str
    messages: int = 0
    rate_hz: float = 0.0


@dataclass
class BagInfo:
    """What `seesay bag info` tells. Times are nanoseconds of the file, which are times of day unless the session's clock was simulated.

    losses: per topic, what was not recorded and why. configuration: per node, its parameters. damage: how a file that is not whole ends.
    """

    path: str
    files: list[str]
    bytes: int = 0
    start_ns: int = 0
    end_ns: int = 0
    messages: int = 0
    clock: Clock = "unix"
    topics: list[TopicCount] = field(default_factory=list)
    losses: dict[str, dict[str, int]] = field(default_factory=dict)
    recording: dict[str, str] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    damage: str = ""

    @property
    def duration_s(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9

    def plain(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return asdict(self) | {"duration_s": self.duration_s}


class BagReader:
    """A recording: a folder, or one MCAP file.

    unread: channels that could not be read and why, known after `messages`. Raises BagError if there is nothing to read.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.files = _files(self.path)
        self.unread: dict[str, str] = {}

    def messages(self, wanted: Callable[[str], bool] = lambda topic: True) -> Generator[Recorded]:
        """Yield the messages of the topics `wanted`, in the order in which they were recorded. A file that was cut off ends at the cut."""
        offset_ns = 0
        for path in self.files:
            decoder = Decoder()
            schemas: dict[int, Schema] = {}
            channels: dict[int, Channel | None] = {}
            for record in Records(path):
                if isinstance(record, Schema):
                    schemas[record.id] = record
                elif isinstance(record, Metadata) and record.name == RECORDING:
                    offset_ns = _offset(record.metadata)
                elif isinstance(record, ChannelRecord):
                    channels[record.id] = self._channel(record, schemas.get(record.schema_id))
                elif isinstance(record, Message):
                    channel = channels.get(record.channel_id)
                    if channel is None or (channel.part == "message" and not wanted(channel.topic)):
                        continue
                    for message in self._decode(decoder, channel, record):
                        yield Recorded(channel.topic, message, record.log_time - offset_ns)

    def topics(self) -> list[str]:
        """Return the names of the topics that can be read."""
        names: set[str] = set()
        for path in self.files:
            schemas, channels = _read_channels(path)
            found = [self._channel(record, schemas.get(record.schema_id)) for record in channels.values()]
            names |= {channel.topic for channel in found if channel is not None and channel.part == "message"}
        return sorted(names)

    def info(self) -> BagInfo:
        """Count what is there: from the index of a file that was finished, else by reading it."""
        info = BagInfo(str(self.path), [path.name for path in self.files])
        counts: Counter[tuple[str, str]] = Counter()
        times: list[int] = []
        for path in self.files:
            info.bytes += path.stat().st_size
            if not _read_index(path, info, counts, times):
                _read_all(path, info, counts, times)
        info.start_ns, info.end_ns = min(times, default=0), max(times, default=0)
        info.messages = sum(counts.values())
        seconds = info.duration_s
        info.topics = [TopicCount(*key, n, n / seconds if seconds > 0 else 0.0) for key, n in sorted(counts.items())]
        if info.recording.get("clock") in ("monotonic", "sim"):
            info.clock = "sim" if info.recording["clock"] == "sim" else "monotonic"
        return info

    def _channel(self, record: ChannelRecord, schema: Schema | None) -> Channel | None:
        try:
            if schema is None or record.message_encoding != "cdr":
                raise WireError(f"{record.topic}: expected CDR with a schema, got {record.message_encoding[:32]!r}")
            return source_of(record.topic, schema.name, schema.data.decode("utf-8", "replace"), record.metadata)
        except WireError as error:
            self.unread[record.topic] = str(error)
            return None

    def _decode(self, decoder: Decoder, channel: Channel, record: Message) -> list[Any]:
        try:
            return decoder.decode(channel, record.sequence, record.data)
        except WireError as error:
            self.unread[channel.ros_topic] = str(error)
            return []


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(path.glob("*.mcap"), key=lambda file: (int((re.findall(r"_(\d+)$", file.stem) or ["0"])[0]), file.name))
    if not found:
        raise BagError(f"recording {path}: expected an MCAP file or a folder with some, got neither; name what `seesay record` made")
    return found


def _read_channels(path: Path) -> tuple[dict[int, Schema], dict[int, ChannelRecord]]:
    """The schemas and channels of a file, from its index if it has one."""
    index = read_summary(path)
    if index is not None:
        return index.schemas, index.channels
    schemas: dict[int, Schema] = {}
    channels: dict[int, ChannelRecord] = {}
    for record in Records(path):
        if isinstance(record, Schema):
            schemas[record.id] = record
        elif isinstance(record, ChannelRecord):
            channels[record.id] = record
    return schemas, channels


def _read_index(path: Path, info: BagInfo, counts: Counter[tuple[str, str]], times: list[int]) -> bool:
    """Take the figures from the file's index; tell whether it has one."""
    index = read_summary(path)
    if index is None:
        return False
    for number, channel in index.channels.items():
        counts[channel.topic, index.schemas[channel.schema_id].name] += index.statistics.channel_message_counts.get(number, 0)
    if index.statistics.message_count:
        times += [index.statistics.message_start_time, index.statistics.message_end_time]
    for record in index.metadata:
        _take(record, info)
    return True


def _read_all(path: Path, info: BagInfo, counts: Counter[tuple[str, str]], times: list[int]) -> None:
    schemas: dict[int, str] = {}
    channels: dict[int, tuple[str, str]] = {}
    records, first, last = Records(path), None, 0
    for record in records:
        if isinstance(record, Schema):
            schemas[record.id] = record.name
        elif isinstance(record, ChannelRecord):
            channels[record.id] = record.topic, schemas.get(record.schema_id, "")
        elif isinstance(record, Metadata):
            _take(record, info)
        elif isinstance(record, Message) and record.channel_id in channels:
            counts[channels[record.channel_id]] += 1
            first, last = record.log_time if first is None else min(first, record.log_time), max(last, record.log_time)
    if first is not None:
        times += [first, last]
    where = f"is cut off after {records.good_bytes} of {path.stat().st_size} bytes; all before that can be read"
    info.damage = f"{path.name} {'has no index at its end; all can be read' if records.complete else where}"


def _take(record: Metadata, info: BagInfo) -> None:
    if record.name == RECORDING:
        info.recording = record.metadata
    elif record.name == CONFIGURATION:
        info.configuration |= {node: _json(text) for node, text in record.metadata.items()}
    elif record.name == LOSSES:
        info.losses = {topic: counts for topic, text in record.metadata.items() if isinstance(counts := _json(text), dict)}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _offset(values: dict[str, str]) -> int:
    try:
        return int(values.get("offset_ns", "0"))
    except ValueError:
        return 0


__all__ = ["BagInfo", "BagReader", "Recorded", "TopicCount"]
