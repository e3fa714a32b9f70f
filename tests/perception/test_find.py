from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from seesay import masks as coding
from seesay.errors import PromptError, SourceError
from seesay.messages import Header, Image
from seesay.perception.annotate import colour, draw
from seesay.perception.detector import Detector
from seesay.perception.find import find
from seesay.perception.segmenter import Segmenter
from seesay.perception.sources import open_source
from tests.perception import raycast as rc
from tests.perception import tiny
from tests.perception.test_sources import film, write

PROMPTS = ["a red block", "the bowl"]


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Detector, Segmenter]:
    folder = tmp_path_factory.mktemp("networks")
    tiny.save_owl(folder / "owl")
    tiny.save_clipseg(folder / "clipseg")
    return Detector.from_pretrained(str(folder / "owl"), threshold=0.0), Segmenter.from_pretrained(str(folder / "clipseg"))


def test_a_folder_of_pictures(tmp_path: Path, networks: tuple[Detector, Segmenter]) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    write(source / "a.png", tiny.picture(seed=1))
    write(source / "a.jpg", tiny.picture(seed=1))
    write(source / "b.png", tiny.picture(seed=2))
    (source / "c.png").write_bytes(b"broken")
    seen: list[tuple[int, int | None]] = []
    report = find(str(source), PROMPTS, *networks, out, progress=lambda done, total: seen.append((done, total)))
    assert sorted(path.name for path in out.iterdir()) == ["a-2.png", "a.png", "b.png", "found.json"]
    assert sorted(report.files) == sorted(str(path) for path in out.iterdir())
    assert seen == [(1, 4), (2, 4), (3, 4)]
    assert (report.pictures, report.skipped) == (3, ["c.png"])
    written = json.loads((out / "found.json").read_text())
    assert written["format"] == "seesay-find/1"
    assert (written["prompts"], written["skipped"], written["pictures"]) == (PROMPTS, ["c.png"], 3)
    assert [frame["name"] for frame in written["frames"]] == ["a.jpg", "a.png", "b.png"]
    detections = [d for frame in written["frames"] for d in frame["detections"]]
    assert len(detections) == sum(report.boxes.values()) > 0
    assert max(d["score"] for d in detections if d["prompt"] == "the bowl") == report.best["the bowl"]
    mask = written["frames"][0]["masks"][0]
    assert coding.decode_one(np.array(mask["counts"], np.uint32), 96, 128).sum() == mask["pixels"]


def test_a_video(tmp_path: Path, networks: tuple[Detector, Segmenter]) -> None:
    report = find(str(film(tmp_path / "film.mp4")), PROMPTS, networks[0], None, tmp_path / "out", limit=3)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["found.json", "found.mp4"]
    written = json.loads((tmp_path / "out" / "found.json").read_text())
    assert [frame["time_s"] for frame in written["frames"]] == [0.0, 0.05, 0.1]
    assert "masks" not in written["frames"][0]
    capture = cv2.VideoCapture(str(tmp_path / "out" / "found.mp4"))
    assert (report.pictures, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))) == (3, 3)
    capture.release()


class Unplugged:
    """A camera that gives two pictures and then fails as told."""

    name, kind, fps, count, live = "0", "camera", 0.0, None, True

    def __init__(self, failure: BaseException) -> None:
        self.failure = failure
        self.skipped: list[str] = []
        self.closed = False

    def __iter__(self) -> Iterator[Image]:
        for number in range(2):
            yield Image(Header(number, number), "rgb8", tiny.picture(seed=number))
        raise self.failure

    def label(self, sequence: int) -> str:
        return f"frame {sequence}"

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Unplugged:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), SourceError("it stopped giving pictures")])
def test_a_camera_that_ends_leaves_whole_files(tmp_path: Path, networks: tuple[Detector, Segmenter], failure: BaseException) -> None:
    camera = Unplugged(failure)
    report = find(camera, PROMPTS, networks[0], None, tmp_path)  # type: ignore[arg-type]
    assert camera.closed
    assert report.end in ("stopped by Ctrl-C", "it stopped giving pictures")
    assert len(json.loads((tmp_path / "found.json").read_text())["frames"]) == 2
    assert (tmp_path / "found.mp4").exists()


def test_wrong_input_writes_nothing(tmp_path: Path, networks: tuple[Detector, Segmenter]) -> None:
    picture, out = str(write(tmp_path / "a.png", tiny.picture())), tmp_path / "out"
    with pytest.raises(PromptError, match="at most 16 tokens"):
        find(picture, ["a prompt that is far too long for it"], *networks, out)
    with pytest.raises(PromptError, match="empty one at place 1"):
        find(picture, [" "], *networks, out)
    with pytest.raises(SourceError, match="at least one thing to look for"):
        find(picture, [], *networks, out)
    with pytest.raises(SourceError, match="not there"):
        find(str(tmp_path / "b.png"), PROMPTS, *networks, out)
    assert not out.exists()


def test_a_failure_in_the_middle_leaves_no_half_file(tmp_path: Path, networks: tuple[Detector, Segmenter]) -> None:
    def fail(done: int, total: int | None) -> None:
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        find(open_source(str(film(tmp_path / "film.mp4"))), PROMPTS, networks[0], None, tmp_path / "out", progress=fail)
    assert list((tmp_path / "out").iterdir()) == []


def test_drawing() -> None:
    things = [rc.block("red block", 0.0, 0.0), rc.bowl("green bowl", 0.1, 0.05)]
    camera = rc.Camera()
    _, ids = rc.cast(things, camera)
    detections, masks = rc.perfect(things, ids, camera)
    rgb = np.full((240, 320, 3), 40, np.uint8)
    canvas = draw(rgb, detections, masks)
    assert canvas.shape == (480, 640, 3)
    assert canvas.dtype == np.uint8
    assert (rgb == 40).all()
    rows, columns = np.nonzero(ids == 0)
    middle = canvas[int(rows.mean()) * 2, int(columns.mean()) * 2]
    assert middle[0] > middle[1] + 40
    assert (canvas[400:, :100] == 40).all()
    assert draw(rgb, scale=1).shape == rgb.shape
    assert colour("a red block") == colour("the red bowl") != colour("zebra")
