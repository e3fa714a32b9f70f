"""Pictures small enough for a network: JPEG for colour, PNG for everything else. Decoding trusts no size that it has not read first."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

from seesay.errors import WireError
from seesay.messages import MAX_PICTURE_PIXELS, MAX_SIDE, CompressedImage, Image

DEPTH_STEP = 0.001  # metres: what one grey level of a 32FC1 picture's PNG stands for
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]


def compress(image: Image, quality: int = 85) -> CompressedImage:
    """Code a picture: rgb8 and bgr8 as JPEG of `quality` (1 to 100), mono8 and 16UC1 as PNG, exactly.

    32FC1 becomes a PNG of whole millimetres: an error of at most 0.5 mm up to 65.535 m. What is invalid (NaN, infinite, not positive),
    below 0.5 mm or farther comes back as 0, which means invalid. Raises WireError for a picture that is too large to be received.
    """
    data = image.data
    if max(data.shape) > MAX_SIDE or image.height * image.width > MAX_PICTURE_PIXELS:
        shape = data.shape[:2]
        raise WireError(f"Image: expected sides of at most {MAX_SIDE} and {MAX_PICTURE_PIXELS} pixels, got {shape}; scale it down")
    if image.encoding in ("rgb8", "bgr8"):
        pixels = cv2.cvtColor(data, cv2.COLOR_RGB2BGR) if image.encoding == "rgb8" else data
        suffix, options = ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality]
    else:
        pixels, suffix, options = _millimetres(data) if image.encoding == "32FC1" else data, ".png", _FAST
    _, coded = cv2.imencode(suffix, pixels, options)
    size = image.height, image.width
    return CompressedImage(image.header, image.encoding, "jpeg" if suffix == ".jpg" else "png", *size, coded.reshape(-1))


def decompress(picture: CompressedImage) -> Image:
    """Decode what `compress` made; colour comes back in its own channel order.

    Raises WireError unless the coded picture has the size, depth and channels that the message states; nothing is decoded before that.
    """
    colour = picture.format == "jpeg"
    wanted = (picture.height, picture.width, 3 if colour else 1, 16 if picture.encoding in ("16UC1", "32FC1") else 8)
    data = picture.data.tobytes()
    found = (jpeg_layout if colour else png_layout)(data)
    if found != wanted:
        raise WireError(f"CompressedImage: expected a {picture.format} of (height, width, channels, bits) {wanted}, got {found}")
    flags = cv2.IMREAD_UNCHANGED
    if colour:
        flags = cv2.IMREAD_COLOR_RGB if picture.encoding == "rgb8" else cv2.IMREAD_COLOR
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(picture.data, flags)
    except cv2.error as error:
        raise WireError(f"CompressedImage: OpenCV refuses the {picture.format}: {error.err}") from error
    if pixels is None or pixels.shape[:2] != wanted[:2] or pixels.size != wanted[0] * wanted[1] * wanted[2]:
        raise WireError(f"CompressedImage: the {picture.format} is damaged")
    if picture.encoding == "32FC1":
        pixels = pixels.astype(np.float32) * np.float32(DEPTH_STEP)
    return Image(picture.header, picture.encoding, pixels)


def _millimetres(metres: NDArray[np.float32]) -> NDArray[np.uint16]:
    valid = (metres > 0) & (metres < 65.5355)
    return np.rint(np.where(valid, metres, 0) * np.float32(1 / DEPTH_STEP)).astype(np.uint16)


def png_layout(data: bytes) -> tuple[int, int, int, int]:
    """Height, width, channels and bits of a grey or RGB PNG of IHDR, IDAT and IEND (ISO 15948), all whole; zeros for anything else.

    OpenCV allocates the length that a chunk states before it looks whether that much is there.
    """
    at, kinds = 8, []
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data) or zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            break
        kinds.append(kind)
        at = end
    whole = data.startswith(_PNG) and at == len(data) and kinds[:1] == [b"IHDR"] and kinds[-1] == b"IEND" and set(kinds[1:-1]) == {b"IDAT"}
    if not whole or len(data) < 33 or data[25] not in (0, 2):
        return 0, 0, 0, 0
    return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big"), 3 if data[25] else 1, data[24]


def jpeg_layout(data: bytes) -> tuple[int, int, int, int]:
    """Height, width, channels and bits of a baseline JPEG (ITU-T T.81, B.2.2); zeros for anything else."""
    at = 2
    while data.startswith(b"\xff\xd8") and at + 10 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == 0xC0:
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big"), data[at + 9], data[at + 4]
        if not (0xC4 <= kind <= 0xFE) or kind in (0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xDA) or length < 2:
            break
        at += 2 + length
    return 0, 0, 0, 0
