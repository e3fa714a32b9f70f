"""Files that appear together and whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from seesay.errors import ConfigError
from seesay.perception.pictures import Quiet
from seesay.perception.sources import PictureSource

LIVE_FPS = 30.0
LONGEST_PAUSE_S = 10.0


@dataclass
class Stage:
    """A hidden folder to write to, and, once all went well, the paths of the files that left it."""

    folder: Path
    written: list[Path] = field(default_factory=list)


@contextlib.contextmanager
def staged(out: Path, last: str) -> Iterator[Stage]:
    """Write to a hidden folder inside `out`; on success its files move to `out`, `last` after all others, so that it marks completeness.

    On an error nothing is left, nor is `out` if this made it. Raises ConfigError if `out` cannot be written.
    """
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    stage: Stage | None = None
    try:
        try:
            out.mkdir(parents=True, exist_ok=True)
            stage = Stage(Path(tempfile.mkdtemp(prefix=".find-", dir=out)))
            yield stage
            names = sorted(path.name for path in stage.folder.iterdir())
            (out / last).unlink(missing_ok=True)
            for name in sorted(names, key=lambda name: name == last):
                os.replace(stage.folder / name, out / name)
                stage.written.append(out / name)
            made = []
        finally:
            if stage is not None:
                shutil.rmtree(stage.folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                for folder in made:
                    folder.rmdir()
    except OSError as error:
        raise ConfigError(f"expected a folder that can be written, got {out} ({error.strerror or error}); name another") from error


def write_picture(stage: Stage, name: str, rgb: NDArray[np.uint8]) -> str:
    """Write `(H, W, 3) uint8` RGB as `<stem of name>_found` .jpg or .png, with a number if that is taken; return the file's name."""
    source = Path(name)
    suffix = ".jpg" if source.suffix.lower() in (".jpg", ".jpeg") else ".png"
    path, number = stage.folder / f"{source.stem}_found{suffix}", 2
    while path.exists():
        path, number = stage.folder / f"{source.stem}_found-{number}{suffix}", number + 1
    _, content = cv2.imencode(suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    path.write_bytes(content.tobytes())
    return path.name


class Film:
    """An MP4 at a constant rate: a video's own, or LIVE_FPS, at which pictures of a camera stay as long as they did."""

    def __init__(self, path: Path, source: PictureSource) -> None:
        self.path = path
        self._paced = source.live
        self._fps = source.fps or LIVE_FPS
        self._writer: Any = None
        self._size = (0, 0)
        self._newest: NDArray[Any] | None = None
        self._last_s = self._due_s = 0.0
        self._count = 0

    def add(self, rgb: NDArray[np.uint8], time_s: float | None) -> None:
        """Add `(H, W, 3) uint8` RGB, brought to the first picture's size; time_s: seconds since the first picture."""
        if self._writer is None:
            self._size = rgb.shape[1], rgb.shape[0]
            with Quiet():
                self._writer = cv2.VideoWriter(str(self.path), cv2.VideoWriter.fourcc(*"mp4v"), self._fps, self._size)
        if (rgb.shape[1], rgb.shape[0]) != self._size:
            rgb = cv2.resize(rgb, self._size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        if self._paced and time_s is not None:
            self._due_s += min(time_s - self._last_s, LONGEST_PAUSE_S)
            self._last_s = time_s
            while self._count < round(self._due_s * self._fps):
                self._write(self._newest)
        self._newest = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        self._write(self._newest)

    def _write(self, frame: NDArray[Any] | None) -> None:
        self._writer.write(frame)
        self._count += 1

    def __enter__(self) -> Film:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the file. Raises ConfigError if it does not hold all frames: OpenCV says nothing of a full disk."""
        if self._writer is not None:
            self._writer.release()
        if kind is None and (frames := _frames(self.path)) != self._count:
            raise ConfigError(f"expected to write a video of {self._count} frames, got {frames}; check that the disk has room")


def _frames(path: Path) -> int:
    with Quiet():
        film = cv2.VideoCapture(str(path))
        frames = int(film.get(cv2.CAP_PROP_FRAME_COUNT)) if film.isOpened() else 0
        film.release()
    return frames
