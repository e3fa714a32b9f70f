from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from seesay.errors import SourceError
from seesay.perception.sources import open_source, read_picture
from tests.perception import tiny


def write(path: Path, rgb: NDArray[np.uint8]) -> Path:
    assert cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return path


def film(path: Path, frames: int = 5) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 20.0, (128, 96))
    for seed in range(frames):
        writer.write(tiny.picture(seed=seed))
    writer.release()
    return path


def test_one_picture_in_rgb(tmp_path: Path) -> None:
    rgb = tiny.picture()
    with open_source(str(write(tmp_path / "a.png", rgb)), camera="front") as source:
        (image,) = source
        assert (source.kind, source.count, source.live, source.label(0)) == ("image", 1, False, "a.png")
    np.testing.assert_array_equal(image.data, rgb)
    assert image.encoding == "rgb8"
    assert image.header.frame_id == "front_optical"
    assert image.header.source is not None
    assert (image.header.source.camera, image.header.source.stamp_ns) == ("front", image.header.stamp_ns)


def test_grey_alpha_and_deep_pictures_become_rgb8(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((4, 5), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "alpha.png"), np.full((4, 5, 4), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((4, 5, 3), 7 * 256, np.uint16))
    for name in ("grey", "alpha", "deep"):
        picture = read_picture(tmp_path / f"{name}.png")
        assert picture.shape == (4, 5, 3)
        assert picture.dtype == np.uint8
        assert (picture == 7).all()


def test_a_folder_skips_counts_and_names_what_cannot_be_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "b.png", tiny.picture(seed=2))
    write(tmp_path / "a.jpg", tiny.picture(seed=1))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n not really")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no picture")
    with open_source(str(tmp_path)) as source:
        images = list(source)
    assert [image.header.sequence for image in images] == [0, 1]
    assert [source.label(n) for n in (0, 1)] == ["a.jpg", "b.png"]
    assert (source.count, source.skipped) == (4, ["broken.png", "empty.jpg"])
    assert capfd.readouterr() == ("", "")


def test_a_video_and_its_loop(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4")
    with open_source(str(path)) as source:
        assert (source.kind, source.count, source.fps) == ("video", 5, 20.0)
        assert [image.data.shape for image in source] == [(96, 128, 3)] * 5
    with open_source(str(path), loop=True) as source:
        assert source.count is None
        pictures = iter(source)
        assert [next(pictures).header.sequence for _ in range(12)] == list(range(12))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "got an empty text"),
        ("no/such/file.png", "which is not there"),
        ("97", "expected pictures from the camera '97', but it cannot be opened; check that it is connected"),
        ("/dev/video97", "expected a camera at /dev/video97, got nothing there"),
        ("rtsp://127.0.0.1:9/nothing", "expected pictures from the stream"),
    ],
)
def test_nothing_there(text: str, complaint: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match=complaint) as caught:
        open_source(text)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_files_that_hold_no_pictures(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match=r"expected pictures in .*, got none"):
        open_source(str(tmp_path))
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(SourceError, match=r"text\.png is not a picture that OpenCV can read"):
        open_source(str(tmp_path / "text.png"))
    with pytest.raises(SourceError, match="got 1 files that cannot be read; the first is text"):
        list(open_source(str(tmp_path)))
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(SourceError, match=r"expected pictures from the video '.*text\.mp4'"):
        open_source(str(tmp_path / "text.mp4"))
    assert capfd.readouterr() == ("", "")
