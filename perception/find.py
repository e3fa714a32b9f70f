"""Finds what prompts name in a source and writes what it found: annotated pictures or a video, and a JSON file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seesay import masks as coding
from seesay.errors import PromptError, SourceError
from seesay.messages import Detections, Header, Image, Masks, PromptSet
from seesay.perception.annotate import draw
from seesay.perception.engines import AnyDetector, AnySegmenter
from seesay.perception.outputs import Film, Stage, staged, write_picture
from seesay.perception.pictures import to_rgb
from seesay.perception.pipeline import found
from seesay.perception.prompts import clean, full
from seesay.perception.sources import PictureSource, open_source

FORMAT = "seesay-find/1"
RESULTS = "results.json"


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
    detector: AnyDetector,
    segmenter: AnySegmenter | None,
    out_dir: Path,
    limit: int = 0,
    progress: Callable[[int, int | None], None] | None = None,
) -> FindReport:
    """Look at every picture of a source and write to `out_dir`: `<name>_found.png` (.jpg for a JPEG) per picture, or `<name>_found.mp4`,
    and `results.json`: per picture its name, size and time, boxes (xyxy pixels) with scores, and masks as uncompressed COCO run lengths.

    segmenter: None leaves masks out; else there is one for each prompt that has a box. limit: stop after so many pictures, 0 takes all.
    progress: called with (pictures done, pictures in all or None). One picture at a time is in memory.
    All files appear together at the end, or none; Ctrl-C ends a camera or stream, and what was found so far is written.
    Raises SourceError, PromptError, and ConfigError if `out_dir` cannot be written.
    """
    words = PromptSet(Header(0), 1, tuple(dict.fromkeys(clean(prompts))))
    if not words.prompts:
        raise PromptError("expected at least one thing to look for, got none; name it, such as 'a red block'")
    detector.check(words.prompts)
    if segmenter is not None:
        segmenter.check(words.prompts)
    names = tuple(prompt.text for prompt in full(words.prompts))
    opened = open_source(source) if isinstance(source, str) else source
    report = FindReport(opened.name, boxes=dict.fromkeys(names, 0), best=dict.fromkeys(names, 0.0))
    with opened:
        pictures = iter(opened)
        image: Image | None = next(pictures)   # a source without any picture leaves no folder behind
        with (
            staged(out_dir, last=RESULTS) as stage,
            _film(stage, opened) as film,
            (stage.folder / RESULTS).open("w", encoding="utf-8") as results,
        ):
            results.write(_head(opened, words, detector, segmenter, film))
            try:
                while image is not None:
                    detections = detector.detect(image, words)
                    masks = segmenter.segment(image, found(detections, words)) if segmenter is not None else None
                    name, drawn = opened.label(image.header.sequence), draw(to_rgb(image), detections, masks)
                    if film is not None:
                        film.add(drawn, opened.time_s)
                    annotated = write_picture(stage, name, drawn) if film is None else None
                    frame = _frame(name, annotated, image, opened.time_s, detections, masks)
                    results.write(("," if report.pictures else "") + "\n" + json.dumps(frame))
                    _count(report, detections)
                    if progress is not None:
                        progress(report.pictures, opened.count)
                    image = next(pictures, None) if not limit or report.pictures < limit else None
            except (KeyboardInterrupt, SourceError) as end:
                if not opened.live or not report.pictures:
                    raise
                report.end = str(end) or "stopped by Ctrl-C"
            report.skipped = list(opened.skipped)
            tail = {"pictures": report.pictures, "skipped": report.skipped, "end": report.end}
            results.write("\n], " + json.dumps(tail)[1:] + "\n")
    report.files = [str(path) for path in stage.written]
    return report


def _film(stage: Stage, source: PictureSource) -> AbstractContextManager[Film | None]:
    if source.kind in ("image", "folder"):
        return nullcontext()
    stem = Path(source.name).stem if source.kind == "video" and "://" not in source.name else source.kind
    return Film(stage.folder / f"{stem}_found.mp4", source)


def _head(source: PictureSource, words: PromptSet, detector: AnyDetector, segmenter: AnySegmenter | None, film: Film | None) -> str:
    head = {
        "format": FORMAT,
        "source": source.name,
        "kind": source.kind,
        "prompts": words.texts,
        "detector": detector.name,
        "threshold": detector.threshold,
        "segmenter": segmenter.name if segmenter is not None else None,
        "mask_threshold": segmenter.threshold if segmenter is not None else None,
        "video": film.path.name if film is not None else None,
    }
    return json.dumps(head)[:-1] + ', "frames": ['


def _frame(
    name: str, annotated: str | None, image: Image, time_s: float | None, detections: Detections, masks: Masks | None
) -> dict[str, Any]:
    """One picture as JSON data. `rle` is what `pycocotools.mask.frPyObjects` takes: column-major run lengths, zeros first."""
    frame: dict[str, Any] = {
        "name": name,
        "annotated": annotated,
        "sequence": image.header.sequence,
        "time_s": None if time_s is None else round(time_s, 6),
        "width": image.width,
        "height": image.height,
        "detections": [
            {"prompt": detections.prompts[index], "score": round(float(score), 4), "box": [round(float(v), 2) for v in box]}
            for box, score, index in zip(detections.boxes, detections.scores, detections.prompt_indices, strict=True)
        ],
    }
    if masks is not None:
        frame["masks"] = []
        for place, (prompt, score) in enumerate(zip(masks.prompts, masks.scores, strict=True)):
            runs = masks.counts[masks.starts[place] : masks.starts[place + 1]]
            columns = coding.encode_one(np.asfortranarray(coding.decode_one(runs, masks.height, masks.width)).T)
            rle = {"size": [masks.height, masks.width], "counts": columns.tolist()}
            frame["masks"].append({"prompt": prompt, "score": round(float(score), 4), "area": int(runs[1::2].sum()), "rle": rle})
    return frame


def _count(report: FindReport, detections: Detections) -> None:
    report.pictures += 1
    for score, index in zip(detections.scores, detections.prompt_indices, strict=True):
        prompt = detections.prompts[index]
        report.boxes[prompt] += 1
        report.best[prompt] = max(report.best[prompt], round(float(score), 4))
