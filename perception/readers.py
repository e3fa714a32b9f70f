"""Pictures from files, and what they share with videos and cameras."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seesay.errors import SourceError
from seesay.messages import Encoding, Header, Image, Source
from seesay.perception.pictures import PICTURES, natural, read_picture

log = logging.getLogger(__name__)

Kind = Literal["image", "folder", "video", "camera", "stream"]


class Reader:
    """What all sources share: names, counters and headers, as in `PictureSource`."""

    def __init__(self, name: str, kind: Kind, camera: str) -> None:
        self.name = name
        self.kind: Kind = kind
        self.fps = 0.0
        self.count: int | None = None
        self.skipped: list[str] = []
        self.time_s: float | None = None
        self._camera = camera
        self._sequence = 0

    @property
    def live(self) -> bool:
        return self.kind in ("camera", "stream")

    def label(self, sequence: int) -> str:
        return f"frame {sequence}"

    def close(self) -> None:
        """Give the device or file back."""

    def image(self, pixels: NDArray[np.uint8], encoding: Encoding = "rgb8", stamp: int = 0) -> Image:
        stamp = stamp or time.monotonic_ns()
        source = Source(self._camera, self._sequence, stamp)
        header = Header(stamp, self._sequence, f"{self._camera}_optical", "monotonic", source)
        self._sequence += 1
        return Image(header, encoding, pixels)

    def __iter__(self) -> Iterator[Image]:
        raise NotImplementedError

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Folder(Reader):
    """The pictures of a folder in natural order of their names, or one picture file.

    Unreadable ones are named in `skipped`, logged and left out.
    """

    def __init__(self, path: Path, camera: str, loop: bool) -> None:
        super().__init__(str(path), "folder" if path.is_dir() else "image", camera)
        self._loop = loop
        self._read: list[str] = []
        self._paths = [path]
        if path.is_dir():
            self._paths = sorted((p for p in path.iterdir() if p.suffix.lower() in PICTURES), key=natural)
        if not self._paths:
            raise SourceError(f"expected pictures in {path}, got none; put files of {', '.join(PICTURES)} there")
        self.count = None if loop else len(self._paths)

    def __iter__(self) -> Iterator[Image]:
        first = True
        while first or self._loop:
            before = self._sequence
            for path in self._paths:
                try:
                    rgb = read_picture(path)
                except SourceError as error:
                    if first:
                        self.skipped.append(path.name)
                        log.warning("skipped %s", error)
                    continue
                if first:
                    self._read.append(path.name)
                yield self.image(rgb)
            if self._sequence == before:
                many = f"{len(self._paths)} files that cannot be read, first {self._paths[0].name}"
                raise SourceError(f"expected pictures in {self.name}, got {many}; replace them")
            first = False

    def label(self, sequence: int) -> str:
        return self._read[sequence % len(self._read)] if self._read else super().label(sequence)
