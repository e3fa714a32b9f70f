"""Visual memory: what the image tower made of past pictures, so that a new text can be looked for in them without a pass of the tower.

OWL-ViT scores a box by the product of its token with the prompt's vector (Minderer et al., 2022). The tokens do not depend on the prompt,
so they can be kept, one byte a component, and asked later: one matrix product for all the pictures that are remembered.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seesay.errors import MessageError, ModelError
from seesay.geometry import rigid
from seesay.messages import CameraInfo, Detections, Image, PromptVectors, Remembered, Source
from seesay.perception.decoding import OVERLAP, select
from seesay.perception.grounding import depth_metres, ground, picture_source
from seesay.perception.memory_files import PictureFiles
from seesay.perception.prompts import full

KEPT_WIDTH = 160
"""Pixels across that the depth of a remembered picture has at most."""
RESET_NS = 10 * 10**9
"""A picture that is so much older than another of its camera means that the clock was set back."""


class VisualMemory:
    """The newest pictures that fit into `megabytes`, as the detector's image tower saw them. Safe to use from several threads.

    folder: where the same pictures are kept for the next memory with that folder, which begins with them; None keeps none.

    >>> memory = VisualMemory()                                            # doctest: +SKIP
    >>> seen = detector.embeddings(image, detector.owl.encode_image(image.data))
    >>> memory.add(Remembered(image.header, seen, *shrink(depth, info), pose))
    >>> for picture, found in memory.ask(detector.encode_prompts(["a blue cup"]), since_ns=header.stamp_ns - 30 * 10**9):
    ...     print(found.header.stamp_ns, found.scores, places(picture, found))
    """

    def __init__(self, megabytes: float = 64.0, folder: Path | None = None) -> None:
        if not megabytes > 0:
            raise ModelError(f"expected a positive number of megabytes for the visual memory, got {megabytes}")
        self._budget = int(megabytes * 1e6)
        self._pictures: dict[Source, Remembered] = {}
        self._bytes = 0
        self._lock = threading.Lock()
        self._files = PictureFiles(folder) if folder is not None else None
        for source, picture in self._files.load(self._budget) if self._files else ():
            self._pictures[source] = picture
            self._bytes += size_of(picture)

    def __len__(self) -> int:
        return len(self._pictures)

    def get(self, source: Source) -> Remembered | None:
        """What is remembered of that picture."""
        return self._pictures.get(source)

    @property
    def megabytes(self) -> float:
        """What the remembered pictures take."""
        return self._bytes / 1e6

    def add(self, picture: Remembered) -> list[Remembered]:
        """Remember a picture, in place of the same one if it is remembered, and return those that leave: the oldest ones, when the
        budget is full, and all that are newer than this one by 10 s, which a clock that was set back has left behind."""
        source = picture_source(picture.embeddings)
        with self._lock:
            self._forget([source] if source in self._pictures else [])
            ahead = [other for other in self._pictures if other.stamp_ns > source.stamp_ns + RESET_NS]
            self._pictures[source] = picture
            self._bytes += size_of(picture)
            left = self._forget(ahead)
            while self._bytes > self._budget:
                left += self._forget([min(self._pictures, key=lambda other: other.stamp_ns)])
            if self._files is not None:
                self._files.save(source, picture)
                for gone in left:
                    self._files.remove(picture_source(gone.embeddings))
            return left

    def pictures(self, since_ns: int | None = None, camera: str = "") -> list[Remembered]:
        """What is remembered, newest first. since_ns: oldest stamp; camera: its name, empty for all."""
        with self._lock:
            by_age = sorted(self._pictures.items(), key=lambda item: -item[0].stamp_ns)
        return [
            picture for source, picture in by_age if (since_ns is None or source.stamp_ns >= since_ns) and camera in ("", source.camera)
        ]

    def ask(
        self, question: PromptVectors, since_ns: int | None = None, camera: str = "", limit: int | None = None
    ) -> list[tuple[Remembered, Detections]]:
        """The newest pictures, at most `limit`, that show what the question names, newest first, with the boxes that the detector would
        have found in them. The rest as in `pictures`."""
        found = []
        prompts = full(question.prompts)
        for picture, boxes, probabilities in _passing(self.pictures(since_ns, camera), question):
            seen = picture.embeddings
            chosen = select(boxes, probabilities, prompts, question.threshold, OVERLAP)
            if len(chosen[0]):
                found.append((picture, Detections(seen.header, 0, question.prompts, seen.model, seen.height, seen.width, *chosen)))
            if len(found) == limit:
                break
        return found

    def _forget(self, sources: list[Source]) -> list[Remembered]:
        left = [self._pictures.pop(source) for source in sources]
        self._bytes -= sum(size_of(picture) for picture in left)
        return left


def _passing(pictures: list[Remembered], question: PromptVectors) -> Iterator[tuple[Remembered, NDArray[np.float32], NDArray[np.float32]]]:
    """The pictures with any token over the threshold: those tokens' boxes `(N, 4)` and probabilities `(N, Q)`.

    One picture at a time is made float32, in one buffer that stays in the processor's cache.
    """
    queries = np.ascontiguousarray(question.vectors.T)
    bar = -math.inf if question.threshold <= 0 else math.log(question.threshold / max(1 - question.threshold, 1e-12))
    room = np.empty((0, 0), np.float32)
    for picture in pictures:
        seen = picture.embeddings
        if seen.model != question.model or seen.vectors.shape[1] != len(queries):
            continue
        if room.shape != seen.vectors.shape:
            room = np.empty(seen.vectors.shape, np.float32)
        room[...] = seen.vectors
        logits = (room @ queries) * seen.gain[:, None] + seen.offset[:, None]
        sure = logits.max(axis=1) > bar
        if sure.any():
            yield picture, seen.boxes[sure], 1 / (1 + np.exp(-np.maximum(logits[sure], -80)))


def shrink(depth: Image, info: CameraInfo) -> tuple[Image, CameraInfo]:
    """Depth as it is remembered, every n-th pixel in whole millimetres (16UC1), and the calibration for its size.

    Raises MessageError for depth of another encoding, or of another size than the calibration's.
    """
    if (depth.height, depth.width) != (info.height, info.width):
        raise MessageError(f"expected depth of the calibrated {info.height} x {info.width} pixels, got {depth.height} x {depth.width}")
    step = _step(depth.width)
    metres = depth_metres(depth)[::step, ::step]
    valid = (metres > 0) & (metres < 65.5)
    small = Image(depth.header, "16UC1", np.rint(np.where(valid, metres, 0) * 1000).astype(np.uint16))
    k = info.k.copy()
    k[:2] /= step
    return small, replace(info, height=small.height, width=small.width, k=k)


def _step(width: int) -> int:
    """Every how many-th pixel of a depth picture is remembered."""
    return math.ceil(width / KEPT_WIDTH)


def places(picture: Remembered, found: Detections) -> list[NDArray[np.float64] | None]:
    """For each box found in a remembered picture, the centre `(3,)` of the thing in metres in the frame of the picture's pose; None where
    depth, calibration or pose is not known, or the box has no depth."""
    if picture.depth is None or picture.info is None or picture.pose is None:
        return [None] * len(found.boxes)
    scale = np.float32(1 / _step(found.width))
    small = replace(found, boxes=found.boxes * scale, height=picture.depth.height, width=picture.depth.width)
    pose = rigid(picture.pose.translation, picture.pose.rotation)
    things = {tuple(thing.box): thing.position for thing in ground(small, None, picture.depth, picture.info, pose).observations}
    return [things.get(tuple(box)) for box in small.boxes]


def size_of(picture: Remembered) -> int:
    """Bytes that a remembered picture takes."""
    seen = picture.embeddings
    depth = picture.depth.data.nbytes if picture.depth else 0
    return int(seen.vectors.nbytes + seen.gain.nbytes + seen.offset.nbytes + seen.boxes.nbytes + depth)
