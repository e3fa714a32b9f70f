from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from seesay import masks as coding
from seesay.errors import ConfigError, PromptError, SourceError
from seesay.messages import Header, Image
from seesay.perception.detector import Detector
from seesay.perception.find import find
from seesay.perception.segmenter import Segmenter
from seesay.perception.sources import open_source
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
    source, out = tmp_path / "in", tmp_path / "runs" / "out"
    source.mkdir()
    write(source / "a.png", tiny.picture(seed=1))
    write(source / "a.jpg", tiny.picture(seed=1))
    write(source / "a.webp", tiny.picture(seed=1))
    write(source / "b.png", tiny.picture(80, 160, seed=2))
    (source / "c.png").write_bytes(b"broken")
    seen: list[tuple[int, int | None]] = []
    report = find(str(source), [*PROMPTS, "the  bowl "], *networks, out, progress=lambda done, total: seen.append((done, total)))
    assert sorted(path.name for path in out.iterdir()) == ["a_found-2.png", "a_found.jpg", "a_found.png", "b_found.png", "results.json"]
    assert sorted(report.files) == sorted(str(path) for path in out.iterdir())
    assert seen == [(1, 5), (2, 5), (3, 5), (4, 5)]
    assert (report.pictures, report.skipped) == (4, ["c.png"])
    written = json.loads((out / "results.json").read_text())
    assert written["format"] == "seesay-find/1"
    assert (written["prompts"], written["skipped"], written["pictures"], written["video"]) == (PROMPTS, ["c.png"], 4, None)
    assert (written["detector"], written["segmenter"], written["threshold"]) == (networks[0].name, networks[1].name, 0.0)
    assert [(frame["name"], frame["annotated"]) for frame in written["frames"]] == [
        ("a.jpg", "a_found.jpg"), ("a.png", "a_found.png"), ("a.webp", "a_found-2.png"), ("b.png", "b_found.png"),
    ]
    assert [(frame["width"], frame["height"], frame["time_s"]) for frame in written["frames"]] == [(128, 96, None)] * 3 + [(160, 80, None)]
    detections = [d for frame in written["frames"] for d in frame["detections"]]
    assert len(detections) == sum(report.boxes.values()) > 0
    assert max(d["score"] for d in detections if d["prompt"] == "the bowl") == report.best["the bowl"]


def test_boxes_and_masks_in_the_results_are_those_of_the_networks(tmp_path: Path, networks: tuple[Detector, Segmenter]) -> None:
    rgb = tiny.picture(72, 96, seed=4)
    find(str(write(tmp_path / "a.png", rgb)), PROMPTS, *networks, tmp_path)
    frame = json.loads((tmp_path / "results.json").read_text())["frames"][0]
    detections, masks = networks[0](rgb, PROMPTS), networks[1](rgb, PROMPTS)
    np.testing.assert_allclose([d["box"] for d in frame["detections"]], detections.boxes, atol=0.006)
    np.testing.assert_allclose([d["score"] for d in frame["detections"]], detections.scores, atol=6e-5)
    assert [d["prompt"] for d in frame["detections"]] == [PROMPTS[index] for index in detections.prompt_indices]
    want = coding.decode(masks.counts, masks.starts, 72, 96)
    assert [mask["prompt"] for mask in frame["masks"]] == PROMPTS
    assert 0 < want.sum() < want.size
    for mask, expected in zip(frame["masks"], want, strict=True):
        counts = mask["rle"]["counts"]
        np.testing.assert_array_equal(np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(96, 72).T, expected)
        assert mask["rle"]["size"] == [72, 96]
        assert mask["area"] == expected.sum()


def test_pictures_beside_the_results_stay_as_they_are(tmp_path: Path, networks: tuple[Detector, Segmenter]) -> None:
    content = write(tmp_path / "a.png", tiny.picture()).read_bytes()
    for _ in range(2):
        report = find(str(tmp_path / "a.png"), PROMPTS, networks[0], None, tmp_path)
    assert (tmp_path / "a.png").read_bytes() == content
    assert [Path(file).name for file in report.files] == ["a_found.png", "results.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a_found.png", "results.json"]


def frames(path: Path) -> int:
    capture, count = cv2.VideoCapture(str(path)), 0
    while capture.grab():
        count += 1
    capture.release()
    return count


def test_a_video(tmp_path: Path, networks: tuple[Detector, Segmenter]) -> None:
    report = find(str(film(tmp_path / "film.mp4")), PROMPTS, networks[0], None, tmp_path / "out", limit=3)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["film_found.mp4", "results.json"]
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    assert written["video"] == "film_found.mp4"
    assert [frame["time_s"] for frame in written["frames"]] == [0.0, 0.05, 0.1]
    assert "masks" not in written["frames"][0]
    assert (report.pictures, frames(tmp_path / "out" / "film_found.mp4")) == (3, 3)


class Unplugged:
    """A camera that gives two pictures and then fails as told."""

    name, kind, fps, count, live = "0", "camera", 0.0, None, True

    def __init__(self, failure: BaseException) -> None:
        self.failure = failure
        self.time_s = 0.0
        self.skipped: list[str] = []
        self.closed = False

    def __iter__(self) -> Iterator[Image]:
        for number in range(2):
            self.time_s = number * 0.5
            yield Image(Header(number, number), "rgb8", tiny.picture(96 + 8 * number, 128, seed=number))
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
    written = json.loads((tmp_path / "results.json").read_text())
    assert (len(written["frames"]), written["end"]) == (2, report.end)
    assert frames(tmp_path / "camera_found.mp4") == 16   # half a second at 30 a second, and the last


def test_wrong_input_writes_nothing(tmp_path: Path, networks: tuple[Detector, Segmenter]) -> None:
    picture, out = str(write(tmp_path / "a.png", tiny.picture())), tmp_path / "out"
    with pytest.raises(PromptError, match="at most 16 tokens"):
        find(picture, ["a prompt that is far too long for it"], *networks, out)
    with pytest.raises(PromptError, match="empty one at place 1"):
        find(picture, [" "], *networks, out)
    with pytest.raises(PromptError, match="at least one thing to look for"):
        find(picture, [], *networks, out)
    with pytest.raises(SourceError, match="not there"):
        find(str(tmp_path / "b.png"), PROMPTS, *networks, out)
    assert not out.exists()
    with pytest.raises(ConfigError, match=r"expected a folder that can be written, got .*a\.png"):
        find(picture, PROMPTS, *networks, tmp_path / "a.png" / "out")


@pytest.mark.parametrize("failure", [RuntimeError("boom"), KeyboardInterrupt()])
@pytest.mark.parametrize("kind", ["video", "folder"])
def test_a_failure_in_the_middle_leaves_nothing(
    tmp_path: Path, networks: tuple[Detector, Segmenter], failure: BaseException, kind: str
) -> None:
    def fail(done: int, total: int | None) -> None:
        if done == 2:
            raise failure

    source = film(tmp_path / "in.mp4") if kind == "video" else tmp_path / "in"
    if kind == "folder":
        source.mkdir()
        for name in ("a", "b", "c"):
            write(source / f"{name}.png", tiny.picture())
    for out in (tmp_path / "new" / "deep", tmp_path / "old"):
        (tmp_path / "old").mkdir(exist_ok=True)
        (tmp_path / "old" / "results.json").write_text("of an earlier run")
        with pytest.raises(type(failure)):
            find(open_source(str(source)), PROMPTS, networks[0], None, out, progress=fail)
    assert not (tmp_path / "new").exists()
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["results.json"]


