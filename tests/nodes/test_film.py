"""The video is written whole, plays, and shows each picture with its own boxes."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from seesay.messages import Detections, Header, Image, Masks, Objects, Source
from seesay.nodes.commands import film as module
from seesay.nodes.commands.film import Film, count_frames

drawn: list[tuple[int, int]] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    drawn.clear()


def draw(rgb: NDArray[np.uint8], found: Detections | None, masks: Masks | None, objects: Objects | None) -> NDArray[np.uint8]:
    drawn.append((int(rgb[0, 0, 0]), -1 if found is None or found.header.source is None else found.header.source.sequence))
    return rgb


def picture(sequence: int) -> Image:
    return Image(Header(sequence * 100_000_000, sequence, "front_optical"), "rgb8", np.full((48, 64, 3), sequence, np.uint8))


def boxes(sequence: int, camera: str = "front") -> Detections:
    source = Source(camera, sequence, sequence * 100_000_000)
    return Detections(Header(0, source=source), 1, (), "m", 48, 64, np.zeros((0, 4), np.float32), np.zeros(0, np.float32),
                      np.zeros(0, np.int32))


def test_each_picture_gets_the_newest_boxes_not_younger_than_it() -> None:
    film = Film(["front"], draw)
    for sequence in (1, 2, 3):
        film.add_picture("front", picture(sequence))
    film.add_detections(boxes(2))
    film.add_picture("front", picture(4))
    film.add_detections(boxes(4))
    assert drawn == [(1, -1), (2, 2), (3, 2)]


@pytest.mark.parametrize("name", ["video.mp4", "video.webm"])
def test_the_video_plays_at_the_speed_of_the_stamps(tmp_path: Path, name: str) -> None:
    film = Film(["front", "side"], draw)
    film.caption = ("put the red block in the green bowl", "step 1: ünicode")
    for sequence in range(1, 11):
        film.add_picture("side", picture(sequence))
        film.add_detections(boxes(sequence, "side"))
        film.add_picture("front", picture(sequence))
    assert film.write(tmp_path / name, rate_hz=20.0) == 19
    assert count_frames(tmp_path / name) == 19
    assert [path.name for path in tmp_path.iterdir()] == [name]
    video = cv2.VideoCapture(str(tmp_path / name))
    assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (128, 48 + module.BAR)
    video.release()


def test_the_film_starts_when_every_camera_has_shown_something(tmp_path: Path) -> None:
    film = Film(["front", "side"], draw)
    film.add_picture("front", picture(1))
    film.add_detections(boxes(2))
    film.add_picture("side", picture(2))
    film.add_detections(boxes(3, "side"))
    film.add_picture("front", picture(3))
    assert film.write(tmp_path / "video.webm") == 1


def test_no_picture_no_file(tmp_path: Path) -> None:
    assert Film(["front"], draw).write(tmp_path / "video.mp4") == 0
    assert list(tmp_path.iterdir()) == []
