"""Videos, cameras and streams through OpenCV."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from seesay.errors import SourceError
from seesay.messages import Image
from seesay.perception.pictures import Quiet
from seesay.perception.readers import Kind, Reader

OPEN_TIMEOUT_MS = 5000
SILENCE_S = 15.0

# FFmpeg within OpenCV reads this once, when it is first used, and would write to the terminal about every broken file and packet.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class Capture(Reader):
    """A video file, camera or stream through OpenCV. A stream that knows its length is a video."""

    def __init__(self, name: str, kind: Kind, where: int | str, camera: str, loop: bool) -> None:
        super().__init__(name, kind, camera)
        self._where, self._loop, self._address = where, loop, kind == "stream"
        if kind == "camera" and isinstance(where, str) and not Path(where).exists():
            raise SourceError(f"expected a camera at {where}, got nothing there; run 'ls /dev/video*' to see what is connected")
        self._capture: Any = self._open()
        frames = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)) if kind != "camera" else 0
        if frames > 0:
            self.kind = "video"
        got, frame = self._capture.read()
        if not got or frame is None:
            self.close()
            raise SourceError(self._sorry("it gives no picture"))
        self._newest = _Newest(self._capture) if self.live else None
        self._first: NDArray[np.uint8] | None = frame
        rate = 0.0 if self.live else float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = rate if 0.1 <= rate <= 1000.0 else 0.0
        self.count = frames if frames > 0 and not loop else None

    def __iter__(self) -> Iterator[Image]:
        return self._video() if self._newest is None else self._follow(self._newest)

    def close(self) -> None:
        newest = getattr(self, "_newest", None)
        if newest is None:
            self._capture.release()
        else:
            newest.close()

    def _video(self) -> Iterator[Image]:
        while True:
            if self._first is not None:
                frame, self._first = self._first, None
                self.time_s = 0.0
            else:
                got, frame = self._capture.read()
                if not got or frame is None:
                    if not self._loop:
                        return
                    self._capture.release()
                    self._capture = self._open()
                    continue
                self.time_s = max(self.time_s or 0.0, float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000)
            yield self.image(frame, "bgr8")

    def _follow(self, newest: _Newest) -> Iterator[Image]:
        began = 0
        while True:
            taken = newest.take(SILENCE_S)
            if taken is None:
                raise SourceError(self._sorry("it stopped giving pictures"))
            frame, stamp = taken
            began = began or stamp
            self.time_s = (stamp - began) / 1e9
            yield self.image(frame, "bgr8", stamp)

    def _open(self) -> Any:
        with Quiet():
            if self._address:
                limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, OPEN_TIMEOUT_MS]
                capture = cv2.VideoCapture(self._where, cv2.CAP_FFMPEG, limits)
            else:
                capture = cv2.VideoCapture(self._where)
            if self.kind == "camera" and capture.isOpened():
                capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if not capture.isOpened():
            capture.release()
            raise SourceError(self._sorry("it cannot be opened"))
        return capture

    def _sorry(self, why: str) -> str:
        cure = {
            "camera": "check that it is connected and not in use by another program",
            "stream": "check the address and that the sender runs",
        }.get(self.kind, "check that the file is a video that FFmpeg can read")
        return f"expected pictures from the {self.kind} {self.name!r}, but {why}; {cure}"


class _Newest:
    """Reads a camera or stream in a thread of its own and keeps the newest frame, so that a slow reader gets no old ones."""

    def __init__(self, capture: Any) -> None:
        self._capture = capture
        self._changed = threading.Condition()
        self._frame: tuple[NDArray[np.uint8], int] | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._read, name="camera", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float) -> tuple[NDArray[np.uint8], int] | None:
        """The newest BGR frame that was not taken yet, and its stamp in ns; None at the end or if none comes in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._ended, timeout_s)
            taken, self._frame = self._frame, None
            return taken

    def close(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join(2 * OPEN_TIMEOUT_MS / 1000)

    def _read(self) -> None:
        while not self._ended:
            got, frame = self._capture.read()
            with self._changed:
                if got and frame is not None:
                    self._frame = frame, time.monotonic_ns()
                else:
                    self._ended = True
                self._changed.notify_all()
        self._capture.release()


def is_video(path: Path) -> bool:
    with Quiet():
        capture = cv2.VideoCapture(str(path))
        frames = capture.isOpened() and capture.get(cv2.CAP_PROP_FRAME_COUNT) > 1
        capture.release()
    return bool(frames)
