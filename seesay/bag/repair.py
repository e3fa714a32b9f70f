"""Makes recordings that were cut off whole again, for tools that need the index at the end of a file."""

from __future__ import annotations

import os
from pathlib import Path

from mcap.records import Attachment, Channel, Message, Metadata, Schema
from mcap.writer import CompressionType, Writer

from seesay.bag._records import Records, read_summary
from seesay.bag._rosbag2 import QOS_KEY, FileInfo, TopicInfo, write_metadata
from seesay.bag.reader import BagReader
from seesay.errors import BagError


def repair(path: Path | str) -> list[str]:
    """Rewrite the files of a recording that are cut off or damaged, up to there, and its metadata.yaml; return their names.

    A file is replaced when its copy is complete. Raises BagError if there is nothing to read or no room for the copy.
    """
    reader = BagReader(path)
    broken = [file for file in reader.files if read_summary(file) is None]
    try:
        for file in broken:
            scratch = file.with_name(f".{file.name}.repaired")
            try:
                _copy(file, scratch)
                os.replace(scratch, file)
            finally:
                scratch.unlink(missing_ok=True)
        if reader.path.is_dir():
            _describe(reader)
    except OSError as error:
        raise BagError(f"recording {path} cannot be repaired: {error.strerror}; free space or copy it elsewhere first") from error
    return [file.name for file in broken]


def _copy(path: Path, target: Path) -> None:
    """Copy what can be read of `path` into a whole file."""
    schemas: dict[int, int] = {}
    channels: dict[int, int] = {}
    with open(target, "wb") as output:
        writer = Writer(output, compression=CompressionType.NONE)
        writer.start("ros2", "seesay")
        for record in Records(path):
            if isinstance(record, Schema) and record.id not in schemas:
                schemas[record.id] = writer.register_schema(record.name, record.encoding, record.data)
            elif isinstance(record, Channel) and record.id not in channels and record.schema_id in schemas:
                schema = schemas[record.schema_id]
                channels[record.id] = writer.register_channel(record.topic, record.message_encoding, schema, record.metadata)
            elif isinstance(record, Message) and record.channel_id in channels:
                writer.add_message(channels[record.channel_id], record.log_time, record.data, record.publish_time, record.sequence)
            elif isinstance(record, Metadata):
                writer.add_metadata(record.name, record.metadata)
            elif isinstance(record, Attachment):
                writer.add_attachment(record.create_time, record.log_time, record.name, record.media_type, record.data)
        writer.finish()


def _describe(reader: BagReader) -> None:
    """Write metadata.yaml from the indexes of the files."""
    files, topics = [], dict[tuple[str, str], TopicInfo]()
    for file in reader.files:
        summary = read_summary(file)
        if summary is None:
            continue
        statistics = summary.statistics
        start_ns, end_ns = statistics.message_start_time, statistics.message_end_time
        files.append(FileInfo(file.name, file.stat().st_size, statistics.message_count, start_ns, end_ns))
        for number, channel in summary.channels.items():
            kind = summary.schemas[channel.schema_id].name
            topic = topics.setdefault((channel.topic, kind), TopicInfo(channel.topic, kind, channel.metadata.get(QOS_KEY, "")))
            topic.messages += statistics.channel_message_counts.get(number, 0)
    write_metadata(reader.path, files, list(topics.values()))
