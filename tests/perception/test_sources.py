from __future__ import annotations

import contextlib
import struct
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as pillow
from PIL import ImageOps

from seesay.errors import SourceError
from seesay.perception.pictures import read_picture
from seesay.perception.sources import open_source
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


def test_grey_deep_and_transparent_pictures_become_rgb8(tmp_path: Path) -> None:
    deep_alpha = np.full((4, 5, 4), 7 * 256, np.uint16)
    deep_alpha[..., 3] = 65535
    half = np.full((4, 5, 4), 7, np.uint8)
    half[..., 3] = 128
    palette = pillow.new("P", (5, 4))
    palette.putpalette([7, 7, 7] + [0, 0, 0] * 255)
    palette.save(tmp_path / "palette.png")
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((4, 5), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "deep grey.png"), np.full((4, 5), 7 * 256, np.uint16))
    cv2.imwrite(str(tmp_path / "deep.tif"), np.full((4, 5, 3), 7 * 256, np.uint16))
    cv2.imwrite(str(tmp_path / "deep alpha.png"), deep_alpha)
    cv2.imwrite(str(tmp_path / "half.png"), half)
    palette.save(tmp_path / "nothing.png", transparency=0)
    for name, value in {
        "palette.png": 7,
        "grey.png": 7,
        "deep grey.png": 7,
        "deep.tif": 7,
        "deep alpha.png": 7,
        "half.png": 131,
        "nothing.png": 255,
    }.items():
        picture = read_picture(tmp_path / name)
        assert picture.shape == (4, 5, 3)
        assert picture.dtype == np.uint8
        assert (picture == value).all(), name


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_pictures_are_upright_as_their_exif_says(tmp_path: Path, orientation: int, suffix: str) -> None:
    stored = pillow.fromarray(tiny.picture(32, 64))
    exif = stored.getexif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"a{suffix}", exif=exif, **({"lossless": True} if suffix == ".webp" else {"quality": 100, "subsampling": 0}))
    with pillow.open(tmp_path / f"a{suffix}") as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    got = read_picture(tmp_path / f"a{suffix}")
    assert got.shape == upright.shape
    assert np.abs(got.astype(int) - upright).max() <= 4


def test_pictures_that_unpack_into_too_much_are_refused_unread(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60000, 50000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    jpeg = cv2.imencode(".jpg", tiny.picture())[1].tobytes()
    place = jpeg.index(b"\xff\xc0")
    (tmp_path / "a.jpg").write_bytes(jpeg[: place + 5] + struct.pack(">HH", 50000, 60000) + jpeg[place + 9 :])
    for name in ("a.png", "a.jpg"):
        with pytest.raises(SourceError, match=r"at most 16384 pixels a side .*, got 60000 x 50000 in .*; make it smaller"):
            read_picture(tmp_path / name)


def test_remarks_of_libpng_stay_off_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    picture = pillow.fromarray(tiny.picture())
    picture.save(tmp_path / "a.png", icc_profile=b"no profile" * 20)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), tiny.picture())
    content = (tmp_path / "a.png").read_bytes()
    for broken in (content[:-40], content[:-30] + b"damaged" + content[-23:]):
        (tmp_path / "b.png").write_bytes(broken)
        with pytest.raises(SourceError, match="or is damaged"):
            read_picture(tmp_path / "b.png")
    assert capfd.readouterr() == ("", "")


def test_a_folder_goes_in_natural_order(tmp_path: Path) -> None:
    for name in ("frame 10.png", "frame 2.png", "a.png", "Frame 1.png", "3.png"):
        write(tmp_path / name, tiny.picture(8, 8))
    with open_source(str(tmp_path), loop=True) as source:
        pictures = iter(source)
        names = [source.label(next(pictures).header.sequence) for _ in range(6)]
    assert names == ["3.png", "a.png", "Frame 1.png", "frame 2.png", "frame 10.png", "3.png"]


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
        seen = [(image.data.shape, round(source.time_s or 0.0, 3)) for image in source]
    assert seen == [((96, 128, 3), number / 20) for number in range(5)]
    with open_source(str(path), loop=True) as source:
        assert source.count is None
        pictures = iter(source)
        assert [next(pictures).header.sequence for _ in range(12)] == list(range(12))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "got an empty text"),
        ("no/such/file.png", "which is not there"),
        ("/dev/zero", "which is neither"),
        ("~nobody-of-that-name/a.png", "check the path and its permissions"),
        ("a" * 5000, "check the path and its permissions"),
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
    with pytest.raises(SourceError, match=r"got 1 files that cannot be read, first text\.png; replace them"):
        list(open_source(str(tmp_path)))
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(SourceError, match=r"expected pictures from the video '.*text\.mp4'"):
        open_source(str(tmp_path / "text.mp4"))
    assert capfd.readouterr() == ("", "")


class Stream(BaseHTTPRequestHandler):
    """Serves `film`, a whole video, as `/film.avi`, and grey values that rise to 250 elsewhere, without an end."""

    film: Path
    sent = 0
    enough = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/film.avi":
            content = self.film.read_bytes()
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        with contextlib.suppress(OSError):
            while not Stream.enough.wait(0.005):
                Stream.sent = min(Stream.sent + 1, 250)
                jpeg = cv2.imencode(".jpg", np.full((64, 64), Stream.sent, np.uint8))[1].tobytes()
                self.wfile.write(b"--next\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(jpeg), jpeg))

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    Stream.sent, Stream.film = 0, film(tmp_path / "film.avi")
    Stream.enough.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Stream) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        Stream.enough.set()
        http.shutdown()
        thread.join()


def test_a_slow_reader_of_a_stream_gets_the_newest_picture(server: str) -> None:
    with open_source(f"{server}/live") as source:
        assert (source.kind, source.live, source.count) == ("stream", True, None)
        pictures = iter(source)
        first = next(pictures)
        for late in pictures:
            if late.data.mean() > 248 or late.header.sequence == 249:
                break
            Stream.enough.wait(0.05)
        assert late.header.sequence < 125
        assert source.time_s == pytest.approx((late.header.stamp_ns - first.header.stamp_ns) / 1e9)
        Stream.enough.set()
        with pytest.raises(SourceError, match="it stopped giving pictures; check the address"):
            list(pictures)


def test_a_video_behind_an_address_has_an_end(server: str) -> None:
    with open_source(f"{server}/film.avi") as source:
        assert (source.kind, source.live) == ("video", False)
        assert len(list(source)) == 5
