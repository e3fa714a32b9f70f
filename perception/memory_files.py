"""Remembered pictures on disk, so that a memory survives a restart: one zip file each, holding the message's parts as on the wire.

What is read is checked as if it came from the bus: zipfile checks sums, the codec types and sizes.
"""

from __future__ import annotations

import logging
import os
import re
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from seesay._clock_offset import shift_stamps
from seesay.codec import MAX_PARTS, decode, encode
from seesay.errors import ConfigError, WireError
from seesay.messages import Remembered, Source
from seesay.perception.grounding import picture_source

_NAME = re.compile(r"picture_(-?\d{1,19})_[A-Za-z0-9-]*\.zip")
_UNREADABLE = (OSError, WireError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError)

log = logging.getLogger(__name__)


class PictureFiles:
    """The files of one memory in `folder`, which is made. Raises ConfigError if it cannot be written to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[Source, Path] = {}
        self._failed = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(".picture_*"):
                left.unlink()
        except OSError as error:
            raise ConfigError(f"expected a folder to keep the memory in, got {folder} ({error.strerror}); name another") from error

    def load(self, budget: int) -> Iterator[tuple[Source, Remembered]]:
        """The newest pictures whose files take at most `budget` bytes, newest first; what is older is removed.

        A file that cannot be read is left out with a warning. Stamps of the monotonic clock are moved to what they are since the last boot.
        """
        for path in sorted(self._folder.glob("picture_*.zip"), key=_stamp, reverse=True):
            budget -= path.stat().st_size
            if budget < 0:
                path.unlink()
                continue
            try:
                picture = _read(path)
            except _UNREADABLE as error:
                log.warning("%s is left out: expected a remembered picture, got %s; remove it", path, " ".join(str(error).split())[:200])
                continue
            source = picture_source(picture.embeddings)
            if source not in self._paths:
                self._paths[source] = path
                yield source, picture

    def save(self, source: Source, picture: Remembered) -> None:
        """Write one picture, whole or not at all. What the disk does not take is lost, with a warning the first time."""
        camera = re.sub("[^A-Za-z0-9]", "-", source.camera)[:64]
        name = f"picture_{source.stamp_ns}_{camera}-{zlib.crc32(repr(source).encode()):08x}.zip"   # cameras "a/b" and "a-b" are two
        scratch = self._folder / f".{name}"
        try:
            with zipfile.ZipFile(scratch, "w", zipfile.ZIP_STORED) as file:
                file.comment = str(_boot_ns()).encode()
                for number, part in enumerate(encode(picture)):
                    file.writestr(str(number), bytes(part))
            os.replace(scratch, self._folder / name)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            if not self._failed:
                log.warning("%s: the memory is not kept for a restart: %s", self._folder, error.strerror)
            self._failed = True
            return
        self._paths[source], self._failed = self._folder / name, False

    def remove(self, source: Source) -> None:
        """Remove a picture's file, if it has one."""
        path = self._paths.pop(source, None)
        if path is not None:
            path.unlink(missing_ok=True)


def _stamp(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else -(1 << 63)


def _read(path: Path) -> Remembered:
    with zipfile.ZipFile(path) as file:
        members = file.infolist()
        whole = sum(member.file_size for member in members) <= path.stat().st_size
        if len(members) > MAX_PARTS or not whole or any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise zipfile.BadZipFile("parts that are compressed or larger than their file")
        parts = [file.read(member) for member in members]
        since_boot_ns = int(file.comment) - _boot_ns()
    return shift_stamps(decode(parts, Remembered), since_boot_ns)


def _boot_ns() -> int:
    """When the monotonic clock began, in nanoseconds of Unix time."""
    return time.time_ns() - time.monotonic_ns()
