"""Picture files as RGB: upright, whole, and of bounded size."""

from __future__ import annotations

import re
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from seesay.errors import MessageError, SourceError
from seesay.messages import MAX_PIXELS, MAX_SIDE, Header, Image

PICTURES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
MAX_BYTES = 1 << 30

_TO_RGB = {"bgr8": cv2.COLOR_BGR2RGB, "mono8": cv2.COLOR_GRAY2RGB}
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND")
_JPEG_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def read_picture(path: Path) -> NDArray[np.uint8]:
    """`(H, W, 3) uint8` RGB of a picture file, turned upright as its EXIF says.

    Grey is repeated, 16-bit values lose their lower half, and what is transparent shows white.
    Raises SourceError for what cannot be read, a damaged file, and one of more than MAX_PIXELS pixels or MAX_SIDE pixels a side.
    """
    try:
        if not path.is_file():
            raise SourceError(f"expected a picture file, got {path}, which is none; name a file")
        if path.stat().st_size > MAX_BYTES:
            raise SourceError(f"expected a picture file of at most {MAX_BYTES >> 20} MiB, got {path}; make it smaller")
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read {path} ({error.strerror or error}); check that the file is there and readable") from error
    _check_size(path, *_announced(content))
    rgb = decode(_clean_png(content) if content.startswith(_PNG) else content)
    if rgb is None:
        raise SourceError(f"{path} is not a picture that OpenCV can read, or is damaged; give a whole file of {', '.join(PICTURES)}")
    _check_size(path, *rgb.shape[:2])
    return rgb


def decode(content: bytes) -> NDArray[np.uint8] | None:
    """`(H, W, 3) uint8` RGB of a picture file's content, None if it is none."""
    data = np.frombuffer(content, np.uint8)
    with Quiet():
        try:
            colour = cv2.imdecode(data, cv2.IMREAD_COLOR) if content else None
            if colour is None:
                return None
            whole = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if _may_be_transparent(content) else None
        except cv2.error:
            return None
    rgb: NDArray[np.uint8] = cv2.cvtColor(colour, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
    if whole is None or whole.shape != (*rgb.shape[:2], 4):
        return rgb
    flat: NDArray[Any] = whole if whole.dtype == np.uint8 else (whole // 256).astype(np.uint8)
    if flat[..., 3].min() == 255 or not np.array_equal(flat[..., :3], colour):  # opaque, or turned by its EXIF: no alpha then
        return rgb
    opaque = flat[..., 3:].astype(np.float32) / 255
    return np.round(rgb * opaque + 255 * (1 - opaque)).astype(np.uint8)


def to_rgb(image: Image, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """`(H, W, 3) uint8` RGB of an rgb8, bgr8 or mono8 picture, written into `out` of that shape if it is given.

    Without `out`, an rgb8 picture is returned as it is. Raises MessageError for depth.
    """
    if image.encoding == "rgb8":
        if out is None:
            return image.data
        np.copyto(out, image.data)
        return out
    if image.encoding not in _TO_RGB:
        raise MessageError(f"expected a colour or grey picture, got encoding {image.encoding}")
    return np.asarray(cv2.cvtColor(image.data, _TO_RGB[image.encoding], dst=out), np.uint8)


def from_array(rgb: Any) -> Image:
    """The `(H, W, 3) uint8` RGB array of a program as a picture of now. Raises MessageError with the cure for any other array."""
    shape, dtype = getattr(rgb, "shape", None), getattr(rgb, "dtype", None)
    if not isinstance(rgb, np.ndarray) or shape is None:
        got, cure = type(rgb).__name__, "convert it with numpy.asarray"
    elif rgb.ndim == 3 and rgb.shape[2] == 3 and rgb.dtype == np.uint8:
        return Image(Header(time.monotonic_ns()), "rgb8", rgb)
    else:
        got, cure = f"{shape} {dtype}", _cure(rgb)
    raise MessageError(f"expected a picture (H, W, 3) uint8 RGB, got {got}; {cure}")


def _cure(rgb: NDArray[Any]) -> str:
    """How to make a picture of an array that is none."""
    if rgb.ndim == 2 or (rgb.ndim == 3 and rgb.shape[2] == 1):
        return "repeat the grey channel three times, or give an Image of mono8"
    if rgb.ndim == 3 and rgb.shape[2] == 4:
        return "leave out the alpha channel: rgba[..., :3]"
    if rgb.ndim == 3 and rgb.shape[0] == 3 and rgb.shape[2] != 3:
        return "put the channels last: transpose(1, 2, 0)"
    if rgb.ndim == 4:
        return "give a list of pictures: list(pictures)"
    if rgb.dtype == np.uint16:
        return "scale it to eight bits: (picture // 256).astype(numpy.uint8)"
    if rgb.dtype.kind == "f":
        return "scale finite values from [0, 1] to eight bits: (255 * picture).round().astype(numpy.uint8)"
    return "convert it to eight bits and three channels"


def natural(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """A key that sorts names as people do: `frame 2` before `frame 10`."""
    parts = re.findall(r"\d+|\D+", path.name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts], path.name


class Quiet:
    """Keeps OpenCV's own log off the terminal: the error that follows says it better."""

    def __enter__(self) -> None:
        self._level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

    def __exit__(self, *_: object) -> None:
        cv2.utils.logging.setLogLevel(self._level)


def _check_size(path: Path, height: int, width: int) -> None:
    if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
        raise SourceError(
            f"expected a picture of at most {MAX_SIDE} pixels a side and {MAX_PIXELS / 1e6:.0f} million in all, "
            f"got {width} x {height} in {path}; make it smaller"
        )


def _may_be_transparent(content: bytes) -> bool:
    if content.startswith(_PNG):
        return content[25] in (4, 6) or b"tRNS" in content[:4096]
    return content.startswith((b"RIFF", b"II*", b"MM\0*"))


def _announced(content: bytes) -> tuple[int, int]:
    """(height, width) that a PNG or JPEG announces, (0, 0) where it does not say: a small file may unpack into gigabytes."""
    if content.startswith(_PNG) and len(content) >= 24:
        width, height = struct.unpack_from(">II", content, 16)
        return height, width
    place = 2 if content.startswith(b"\xff\xd8") else len(content)
    while place + 9 <= len(content) and content[place] == 0xFF:
        marker, length, _, height, width = struct.unpack_from(">xBHBHH", content, place)
        if marker in _JPEG_SIZES:
            return height, width
        place += 1 if marker == 0xFF else 2 + length
    return 0, 0


def _clean_png(content: bytes) -> bytes:
    """The chunks that make the picture, empty if one is damaged: libpng would write to the terminal about these and all others."""
    kept, place = [_PNG], len(_PNG)
    while place + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        end = place + 12 + length
        if kind in _PNG_KEPT:
            if end > len(content) or zlib.crc32(content[place + 4 : end - 4]) != struct.unpack_from(">I", content, end - 4)[0]:
                return b""
            kept.append(content[place:end])
            if kind == b"IEND":
                return b"".join(kept)
        place = end
    return b""
