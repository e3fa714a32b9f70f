"""The annotated video of a run: each picture with the newest boxes and masks that are not younger than it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from seesay.errors import SeeSayError
from seesay.messages import Detections, Image, Masks, Objects

Draw = Callable[[NDArray[np.uint8], Detections | None, Masks | None, Objects | None], NDArray[np.uint8]]

CODECS = {".mp4": "mp4v", ".webm": "VP80"}   # any player, and browsers
BAR = 56
QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 95]


@dataclass
class _Camera:
    """The pictures of one camera that wait for their results, the newest results, and the last drawn picture."""

    waiting: dict[int, Image] = field(default_factory=dict)
    detections: Detections | None = None
    masks: Masks | None = None
    drawn: NDArray[np.uint8] | None = None


class Film:
    """Collects pictures and results in any order and writes them as a video, cameras side by side, caption below.

    A picture is drawn once a result for it, or for a later one, has come. Frames are kept as JPEG until `write`.
    """

    def __init__(self, cameras: Sequence[str], draw: Draw, title: str = "") -> None:
        self._cameras = {name: _Camera() for name in cameras}
        self._draw = draw
        self._frames: list[tuple[int, bytes]] = []
        self.caption = (title, "")
        self.objects: Objects | None = None

    def __len__(self) -> int:
        return len(self._frames)

    def add_picture(self, camera: str, picture: Image) -> None:
        """Take a picture; `(H, W, 3) uint8` RGB."""
        waiting = self._cameras[camera].waiting
        waiting[picture.header.sequence] = picture
        if len(waiting) > 100:   # no detector runs: go on without boxes
            self._settle(camera, picture.header.sequence - 50)

    def add_detections(self, detections: Detections) -> None:
        source = detections.header.source
        if source is not None and source.camera in self._cameras:
            self._settle(source.camera, source.sequence - 1)
            self._cameras[source.camera].detections = detections

    def add_masks(self, masks: Masks) -> None:
        source = masks.header.source
        if source is not None and source.camera in self._cameras:
            self._cameras[source.camera].masks = masks

    def write(self, path: Path, rate_hz: float = 5.0) -> int:
        """Write the video, .mp4 or .webm, at a constant rate along the pictures' stamps; return the number of frames, 0 without a file.

        Raises SeeSayError if OpenCV cannot write the file or read it back.
        """
        for name in self._cameras:
            self._settle(name, max(self._cameras[name].waiting, default=0))
        if not self._frames:
            return 0
        height, width = _decode(self._frames[0][1]).shape[:2]
        scratch = path.with_stem(f".{path.stem}")
        with _quiet():
            count = self._encode(scratch, CODECS[path.suffix], rate_hz, (width, height))
            played = count_frames(scratch)
        if not count or played != count:
            scratch.unlink(missing_ok=True)
            raise SeeSayError(f"video: expected OpenCV to write {count} frames to {path.name}, {played} can be read back; use --no-video")
        os.replace(scratch, path)
        return count

    def _settle(self, camera: str, upto: int) -> None:
        """Draw every waiting picture up to that sequence with the newest results not younger than it."""
        state = self._cameras[camera]
        for sequence in sorted(s for s in state.waiting if s <= upto):
            picture = state.waiting.pop(sequence)
            state.drawn = self._draw(np.asarray(picture.data, np.uint8), state.detections, state.masks, self.objects)
            if camera == next(iter(self._cameras)):
                self._append(picture.header.stamp_ns)

    def _append(self, stamp_ns: int) -> None:
        panes = [camera.drawn for camera in self._cameras.values() if camera.drawn is not None]
        if len(panes) < len(self._cameras):
            return
        frame = np.vstack([np.hstack(panes), np.zeros((BAR, sum(pane.shape[1] for pane in panes), 3), np.uint8)])
        for line, text in enumerate(self.caption):
            where = (10, frame.shape[0] - BAR + 22 + 24 * line)
            plain = text.encode("ascii", "replace").decode()
            cv2.putText(frame, plain, where, cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
        self._frames.append((stamp_ns, cv2.imencode(".jpg", frame[..., ::-1], QUALITY)[1].tobytes()))

    def _encode(self, path: Path, codec: str, rate_hz: float, size: tuple[int, int]) -> int:
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate_hz, size)
        count, start = 0, self._frames[0][0]
        try:
            for stamp, data in self._frames if writer.isOpened() else ():
                frame = _decode(data)
                while count <= (stamp - start) / 1e9 * rate_hz:
                    writer.write(frame)
                    count += 1
        finally:
            writer.release()
        return count


def _decode(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def count_frames(path: Path) -> int:
    """Frames that can be read back from a video."""
    video, count = cv2.VideoCapture(str(path)), 0
    try:
        while video.grab():
            count += 1
    finally:
        video.release()
    return count


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV's remarks on codecs, which it writes past Python, off the terminal."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
