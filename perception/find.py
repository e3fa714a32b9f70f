"""Finds what prompts name in a source and writes what it found: annotated pictures or a video, and a JSON file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from seesay.errors import SourceError
from seesay.messages import Detections, Header, Image, Masks, PromptSet
from seesay.perception.annotate import draw
from seesay.perception.detector import Detector
from seesay.perception.pipeline import found
from seesay.perception.prompts import clean
from seesay.perception.segmenter import Segmenter
from seesay.perception.sources import PictureSource, open_source

FORMAT = "seesay-find/1"
LIVE_FPS = 10.0


@dataclass
class FindReport:
    """What was found: boxes per prompt, the best score of each, files written, names of pictures that could not be read.

    end: why a camera or stream ended, empty otherwise.
    """

    source: str
    pictures: int = 0
    boxes: dict[str, int] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    end: str = ""

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON data."""
        return asdict(self)


def find(
    source: str | PictureSource,
    prompts: Sequence[str],
    detector: Detector,
    segmenter: Segmenter | None,
    out_dir: Path,
    limit: int = 0,
    progress: Callable[[int, int | None], None] | None = None,
) -> FindReport:
    """Look at every picture of a source and write to `out_dir`: `<name>.png` per picture or `found.mp4`, and `found.json`.

    limit: stop after so many pictures, 0 takes all. progress: called with (pictures done, pictures in all or None).
    Files appear whole or not at all; Ctrl-C ends a camera or stream and what was found so far is written.
    Raises SourceError, PromptError, ModelError.
    """
    words = PromptSet(Header(0), 1, clean(prompts))
    if not words.prompts:
        raise SourceError("expected at least one thing to look for, got none; name it, such as 'a red block'")
    detector.check(words.prompts)
    if segmenter is not None:
        segmenter.check(words.prompts)
    opened = open_source(source) if isinstance(source, str) else source
    report = FindReport(opened.name, boxes=dict.fromkeys(words.prompts, 0), best=dict.fromkeys(words.prompts, 0.0))
    with opened:
        pictures = iter(opened)
        first = next(pictures)
        out_dir.mkdir(parents=True, exist_ok=True)
        moving = opened.kind in ("video", "camera", "stream")
        with _whole(out_dir / "found.json", report) as log, _film(out_dir / "found.mp4", moving, opened.fps or LIVE_FPS, report) as film:
            log.write(_head(opened, words, detector, segmenter))
            try:
                for image in _chain(first, pictures):
                    detections = detector.detect(image, words)
                    masks = segmenter.segment(image, found(detections)) if segmenter is not None else None
                    name = opened.label(image.header.sequence)
                    picture = draw(image.data, detections, masks)
                    if film is not None:
                        film(picture)
                    else:
                        _write_png(_free(out_dir / f"{Path(name).stem}.png", report), picture, report)
                    log.write(("," if report.pictures else "") + "\n" + json.dumps(_frame(name, image, opened.fps, detections, masks)))
                    _count(report, detections)
                    if progress is not None:
                        progress(report.pictures, opened.count)
                    if limit and report.pictures >= limit:
                        break
            except (KeyboardInterrupt, SourceError) as end:
                if not opened.live or not report.pictures:
                    raise
                report.end = str(end) or "stopped by Ctrl-C"
            report.skipped = list(opened.skipped)
            log.write("\n], " + json.dumps({"pictures": report.pictures, "skipped": report.skipped, "end": report.end})[1:] + "\n")
    return report


def _chain(first: Image, rest: Iterator[Image]) -> Iterator[Image]:
    yield first
    yield from rest


def _head(source: PictureSource, words: PromptSet, detector: Detector, segmenter: Segmenter | None) -> str:
    head = {
        "format": FORMAT,
        "source": source.name,
        "kind": source.kind,
        "prompts": words.prompts,
        "detector": detector.name,
        "threshold": detector.threshold,
        "segmenter": segmenter.name if segmenter is not None else None,
        "mask_threshold": segmenter.threshold if segmenter is not None else None,
    }
    return json.dumps(head)[:-1] + ', "frames": ['


def _frame(name: str, image: Image, fps: float, detections: Detections, masks: Masks | None) -> dict[str, Any]:
    """One picture as JSON data: boxes xyxy in pixels; masks as run lengths in row-major order, zeros first."""
    frame: dict[str, Any] = {"name": name, "sequence": image.header.sequence, "width": image.width, "height": image.height}
    if fps:
        frame["time_s"] = round(image.header.sequence / fps, 4)
    frame["detections"] = [
        {"prompt": detections.prompts[index], "score": round(float(score), 4), "box": [round(float(v), 2) for v in box]}
        for box, score, index in zip(detections.boxes, detections.scores, detections.prompt_indices, strict=True)
    ]
    if masks is not None:
        frame["masks"] = []
        for place, prompt in enumerate(masks.prompts):
            runs = masks.counts[masks.starts[place] : masks.starts[place + 1]]
            score, pixels = round(float(masks.scores[place]), 4), int(runs[1::2].sum())
            frame["masks"].append({"prompt": prompt, "score": score, "pixels": pixels, "counts": runs.tolist()})
    return frame


def _count(report: FindReport, detections: Detections) -> None:
    report.pictures += 1
    for score, index in zip(detections.scores, detections.prompt_indices, strict=True):
        prompt = detections.prompts[index]
        report.boxes[prompt] += 1
        report.best[prompt] = max(report.best[prompt], round(float(score), 4))


def _free(path: Path, report: FindReport) -> Path:
    """The path, or with a number if this run wrote it already: `a.jpg` and `a.png` in one folder."""
    number, free = 2, path
    while str(free) in report.files:
        free, number = path.with_stem(f"{path.stem}-{number}"), number + 1
    return free


def _write_png(path: Path, rgb: NDArray[np.uint8], report: FindReport) -> None:
    _, content = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content.tobytes())
    os.replace(part, path)
    report.files.append(str(path))


@contextmanager
def _whole(path: Path, report: FindReport) -> Iterator[IO[str]]:
    """A text file that appears under its name only when it is complete."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            yield file
        os.replace(part, path)
        report.files.append(str(path))
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _film(path: Path, wanted: bool, fps: float, report: FindReport) -> Iterator[Callable[[NDArray[np.uint8]], None] | None]:
    """A function that adds a picture to an MP4, which appears under its name only when it is complete; None if no film is wanted."""
    if not wanted:
        yield None
        return
    part = path.with_name(f".{path.stem}.part.mp4")
    writers: list[Any] = []

    def add(rgb: NDArray[np.uint8]) -> None:
        if not writers:
            writers.append(cv2.VideoWriter(str(part), cv2.VideoWriter.fourcc(*"mp4v"), fps, (rgb.shape[1], rgb.shape[0])))
            if not writers[0].isOpened():
                raise SourceError(f"cannot write a video to {path}; check that the folder can be written to")
        writers[0].write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))

    try:
        yield add
        if writers:
            writers[0].release()
            os.replace(part, path)
            report.files.append(str(path))
    finally:
        for writer in writers:
            writer.release()
        part.unlink(missing_ok=True)
