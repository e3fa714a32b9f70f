"""Pictures from files, folders, videos, cameras and streams, all as one iterator of Image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

from seesay.errors import SourceError
from seesay.messages import Image
from seesay.perception.captures import Capture, is_video
from seesay.perception.pictures import PICTURES, read_picture
from seesay.perception.readers import Folder, Kind

VIDEOS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
STREAMS = ("http://", "https://", "rtmp://", "rtsp://", "tcp://", "udp://")


class PictureSource(Protocol):
    """An iterator of pictures: rgb8 from files, bgr8 from videos and cameras (`to_rgb` converts).

    Each is stamped when it is read, and its sequence counts from 0.
    name: what was opened. fps: pictures a second of a video, else 0. live: pictures come whether or not they are taken, and
    who is slow gets the newest one. count: how many there will be, None if that is not known. skipped: names of files that
    could not be read. time_s: of the newest picture, seconds since the start of a video or the first picture of a camera, else None.
    """

    name: str
    kind: Kind
    fps: float
    count: int | None
    skipped: list[str]
    time_s: float | None

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
        return Capture(text, "camera", int(text) if text.isdecimal() else text, camera, loop=False)
    if text.startswith(STREAMS):
        return Capture(text, "stream", text, camera, loop=False)
    path = _existing(text)
    if path.is_dir():
        return Folder(path, camera, loop)
    if path.suffix.lower() in VIDEOS:
        return Capture(text, "video", str(path), camera, loop)
    if path.suffix.lower() not in PICTURES and is_video(path):
        return Capture(text, "video", str(path), camera, loop)
    read_picture(path)
    return Folder(path, camera, loop)


def _existing(text: str) -> Path:
    wanted = "expected a file or folder"
    try:
        path = Path(text).expanduser()
        kind = path.is_dir() * "folder" or path.is_file() * "file" or path.exists() * "other"
        if kind == "folder":
            next(path.iterdir(), None)
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        raise SourceError(f"{wanted} that can be read, got {text[:80]!r} ({why}); check the path and its permissions") from error
    if not kind:
        raise SourceError(f"{wanted}, got {text!r}, which is not there; check the path (it is relative to {Path.cwd()})")
    if kind == "other":
        raise SourceError(f"{wanted}, got {text!r}, which is neither; name a picture, a video or a folder")
    return path
