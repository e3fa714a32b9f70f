"""What rosbag2 wants to know about a recording: metadata.yaml, and the quality of service of each topic.

Version 8 of the format, in which quality of service is text: ROS 2 Humble and all later releases read it, Humble does not read version 9.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seesay.bag._definitions import store, type_hash

QOS_KEY = "offered_qos_profiles"   # in the metadata of a channel

_VERSION = 8
_AT_ONCE = 20
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)   # in C where it can be had
_FOREVER = {"sec": 9223372036, "nsec": 854775807}


@dataclass
class FileInfo:
    """One file: its name, bytes when it is finished, messages and the times of the first and the last."""

    name: str
    bytes: int = 0
    messages: int = 0
    start_ns: int = 0
    end_ns: int = 0

    def count(self, log_ns: int) -> None:
        self.start_ns = min(log_ns, self.start_ns) if self.messages else log_ns
        self.end_ns = max(log_ns, self.end_ns)
        self.messages += 1


@dataclass
class TopicInfo:
    """One ROS topic, its offered quality of service as `qos_text` has it, and how many messages it has."""

    name: str
    type: str
    qos: str
    messages: int = 0


def qos_text(latched: bool) -> str:
    """The offered quality of service as rosbag2 up to version 8 writes it: numbers of rmw's enumerations in YAML."""
    profile = {
        "history": 1,
        "depth": 1 if latched else 10,
        "reliability": 1,
        "durability": 1 if latched else 2,
        "deadline": dict(_FOREVER),
        "lifespan": dict(_FOREVER),
        "liveliness": 1,
        "liveliness_lease_duration": dict(_FOREVER),
        "avoid_ros_namespace_conventions": False,
    }
    return _yaml([profile]).strip()


def metadata_yaml(files: Sequence[FileInfo], topics: Sequence[TopicInfo]) -> str:
    """The text that rosbag2 keeps inside a file, about that file."""
    return "".join(_texts(files, topics))


def write_metadata(folder: Path, files: Sequence[FileInfo], topics: Sequence[TopicInfo]) -> None:
    """Write metadata.yaml, whole or not at all, in memory that does not grow with the files. Raises OSError."""
    scratch = folder / ".metadata.yaml"
    with scratch.open("w", encoding="utf-8") as output:
        output.write("rosbag2_bagfile_information:\n")
        for text in _texts(files, topics):
            output.write(textwrap.indent(text, "  "))
    os.replace(scratch, folder / "metadata.yaml")


def _texts(files: Sequence[FileInfo], topics: Sequence[TopicInfo]) -> Iterator[str]:
    """The YAML of the metadata, in pieces of whole lines."""
    used = [file for file in files if file.messages]
    start, end = min((file.start_ns for file in used), default=0), max((file.end_ns for file in used), default=0)
    yield _yaml({
        "version": _VERSION,
        "storage_identifier": "mcap",
        "duration": {"nanoseconds": end - start},
        "starting_time": {"nanoseconds_since_epoch": start},
        "message_count": sum(topic.messages for topic in topics),
        "topics_with_message_count": [
            {
                "topic_metadata": {
                    "name": topic.name,
                    "type": topic.type,
                    "serialization_format": "cdr",
                    "offered_qos_profiles": topic.qos,
                    "type_description_hash": type_hash(topic.type) if topic.type in store().types else "",
                },
                "message_count": topic.messages,
            }
            for topic in topics
        ],
        "compression_format": "",
        "compression_mode": "",
        "custom_data": {},
        "ros_distro": "seesay",
    })  # fmt: skip
    lists: dict[str, Callable[[FileInfo], Any]] = {"relative_file_paths": lambda file: file.name, "files": _entry}
    for name, entry in lists.items():
        yield f"{name}:\n" if files else f"{name}: []\n"
        for begin in range(0, len(files), _AT_ONCE):
            yield _yaml([entry(file) for file in files[begin : begin + _AT_ONCE]])


def _entry(file: FileInfo) -> dict[str, Any]:
    return {
        "path": file.name,
        "starting_time": {"nanoseconds_since_epoch": file.start_ns},
        "duration": {"nanoseconds": file.end_ns - file.start_ns},
        "message_count": file.messages,
    }


def _yaml(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_DUMPER, sort_keys=False, default_flow_style=False, width=1 << 16)
    return text
