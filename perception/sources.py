"""Pictures from files, folders, videos, cameras and streams, all as one iterator of Image."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from seesay.errors import SourceError
from seesay.messages import Header, Image, Source

log = logging.getLogger(__name__)

PICTURES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
VIDEOS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
STREAMS = ("http://", "https://", "rtmp://", "rtsp://", "tcp://", "udp://")
OPEN_TIMEOUT_MS = 5000

# FFmpeg within OpenCV reads this once, when it is first used, and would write to the terminal about every broken file and packet.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

Kind = Literal["image", "folder", "video", "camera", "stream"]


class PictureSource(Protocol):
    """An iterator of rgb8 pictures. Every picture is stamped when it is read, and its sequence counts from 0.

    name: what was opened. fps: pictures a second of a video, else 0. live: pictures come whether or not they are taken.
    count: how many there will be, None if that is not known. skipped: names of files that could not be read, with the reason.
    """

    name: str
    kind: Kind
    fps: float
    count: int | None
    skipped: list[str]

    @property
    def live(self) -> bool: ...

    def __iter__(self) -> Iterator[Image]: ...

    def label(self, sequence: int) -> str:
        """A name for one picture: the file's, or the number of the frame."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> PictureSource: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


def open_source(text: str, camera: str = "camera", loop: bool = False) -> PictureSource:
    """Open a picture, a folder of pictures, a video, a camera (number or /dev/video...) or a stream address.

    camera: name written into headers; frames are `<camera>_optical`. loop: start a file or folder again at its end.
    Raises SourceError if there is nothing to read.
    """
    if not text.strip():
        raise SourceError("expected a picture, folder, video, camera number or stream address, got an empty text; name one with --source")
    if text.isdecimal() or text.startswith("/dev/video"):
        return _Capture(text, "camera", int(text) if text.isdecimal() else text, camera, loop=False)
    if text.startswith(STREAMS):
        return _Capture(text, "stream", text, camera, loop=False)
    path = Path(text).expanduser()
    if path.is_dir():
        return _Folder(path, camera, loop)
    if not path.exists():
        raise SourceError(f"expected a file or folder, got {text!r}, which is not there; check the path (it is relative to {Path.cwd()})")
    if path.suffix.lower() in VIDEOS:
        return _Capture(text, "video", str(path), camera, loop)
    if path.suffix.lower() not in PICTURES and _is_video(path):
        return _Capture(text, "video", str(path), camera, loop)
    read_picture(path)
    return _Folder(path, camera, loop)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """`(H, W, 3) uint8` RGB of a picture file, turned upright as its EXIF says. Raises SourceError if it cannot be read."""
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise SourceError(f"cannot read {path} ({error.strerror or error}); check that the file is there and readable") from error
    with _quiet():
        try:
            decoded = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
        except cv2.error:
            decoded = None
    if decoded is None:
        raise SourceError(f"{path} is not a picture that OpenCV can read; give a file of {', '.join(PICTURES)}")
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


class _Reader:
    """What all sources share."""

    def __init__(self, name: str, kind: Kind, camera: str) -> None:
        self.name = name
        self.kind: Kind = kind
        self.fps = 0.0
        self.count: int | None = None
        self.skipped: list[str] = []
        self._camera = camera
        self._sequence = 0

    @property
    def live(self) -> bool:
        return self.kind in ("camera", "stream")

    def label(self, sequence: int) -> str:
        return f"frame {sequence}"

    def close(self) -> None:
        """Give the device or file back."""

    def _image(self, rgb: NDArray[np.uint8]) -> Image:
        stamp = time.monotonic_ns()
        source = Source(self._camera, self._sequence, stamp)
        header = Header(stamp, self._sequence, f"{self._camera}_optical", "monotonic", source)
        self._sequence += 1
        return Image(header, "rgb8", rgb)

    def __iter__(self) -> Iterator[Image]:
        raise NotImplementedError

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class _Folder(_Reader):
    """The pictures of a folder by name, or one picture file. Unreadable ones are named in `skipped`, logged and left out."""

    def __init__(self, path: Path, camera: str, loop: bool) -> None:
        super().__init__(str(path), "folder" if path.is_dir() else "image", camera)
        self._loop = loop
        self._read: list[str] = []
        self._paths = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES) if path.is_dir() else [path]
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
                self._read.append(path.name)
                yield self._image(rgb)
            if self._sequence == before:
                raise SourceError(
                    f"expected pictures in {self.name}, got {len(self._paths)} files that cannot be read; the first is {self.skipped[0]}"
                )
            first = False

    def label(self, sequence: int) -> str:
        return self._read[sequence] if sequence < len(self._read) else super().label(sequence)


class _Capture(_Reader):
    """A video file, camera or stream through OpenCV."""

    def __init__(self, name: str, kind: Kind, where: int | str, camera: str, loop: bool) -> None:
        super().__init__(name, kind, camera)
        self._where, self._loop = where, loop
        if kind == "camera" and isinstance(where, str) and not Path(where).exists():
            raise SourceError(f"expected a camera at {where}, got nothing there; run 'ls /dev/video*' to see what is connected")
        self._capture: Any = self._open()
        got, frame = self._capture.read()
        if not got or frame is None:
            self.close()
            raise SourceError(self._sorry("it gives no picture"))
        self._first: NDArray[np.uint8] | None = frame
        self.fps = float(self._capture.get(cv2.CAP_PROP_FPS) or 0.0) if kind == "video" else 0.0
        frames = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)) if kind == "video" else 0
        self.count = frames if frames > 0 and not loop else None

    def __iter__(self) -> Iterator[Image]:
        while True:
            if self._first is not None:
                frame, self._first = self._first, None
            else:
                got, frame = self._capture.read()
                if not got or frame is None:
                    if self.live:
                        raise SourceError(self._sorry("it stopped giving pictures"))
                    if not self._loop:
                        return
                    self._capture.release()
                    self._capture = self._open()
                    continue
            yield self._image(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False))

    def close(self) -> None:
        self._capture.release()

    def _open(self) -> Any:
        with _quiet():
            if self.kind == "stream":
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


def _is_video(path: Path) -> bool:
    with _quiet():
        capture = cv2.VideoCapture(str(path))
        frames = capture.isOpened() and capture.get(cv2.CAP_PROP_FRAME_COUNT) > 1
        capture.release()
    return bool(frames)


class _quiet:
    """Keeps OpenCV from writing to the terminal: the error that follows says it better."""

    def __enter__(self) -> None:
        logging_module = getattr(cv2.utils, "logging", None)
        self._level = logging_module.getLogLevel() if logging_module else None
        if logging_module:
            logging_module.setLogLevel(logging_module.LOG_LEVEL_SILENT)

    def __exit__(self, *_: object) -> None:
        if self._level is not None:
            cv2.utils.logging.setLogLevel(self._level)
