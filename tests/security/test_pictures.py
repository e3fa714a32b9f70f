"""Pictures come back as they were, as far as their coding promises, and a size that is not stated is never allocated."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from seesay._pictures import compress, decompress
from seesay.errors import MessageError, WireError
from seesay.messages import CompressedImage, Encoding, Header, Image

HEADER = Header(5, 6, "front_optical")


def smooth(encoding: Encoding) -> Image:
    ramp = np.add.outer(np.arange(60), np.arange(80)).astype(np.uint8)
    return Image(HEADER, encoding, np.stack([ramp, 255 - ramp, ramp // 2], axis=2))


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
def test_colours_come_back_nearly_and_a_viewer_sees_them_right(encoding: Encoding) -> None:
    image = smooth(encoding)
    coded = compress(image, 95)
    back = decompress(coded)
    assert (back.header, back.encoding, back.data.shape) == (HEADER, encoding, image.data.shape)
    assert np.abs(back.data.astype(int) - image.data).mean() < 2
    bgr = cv2.imdecode(coded.data, cv2.IMREAD_COLOR)
    assert bgr is not None
    want = image.data if encoding == "bgr8" else image.data[:, :, ::-1]
    assert np.abs(bgr.astype(int) - want).mean() < 2


@given(st.sampled_from(["mono8", "16UC1"]), st.integers(1, 30), st.integers(1, 30), st.data())
@settings(max_examples=30, deadline=None)
def test_grey_and_depth_in_millimetres_come_back_exactly(encoding: Encoding, height: int, width: int, data: st.DataObject) -> None:
    pixels = data.draw(hnp.arrays(np.uint8 if encoding == "mono8" else np.uint16, (height, width)))
    np.testing.assert_array_equal(decompress(compress(Image(HEADER, encoding, pixels))).data, pixels)


@given(hnp.arrays(np.float32, (7, 9), elements=st.floats(width=32)))
@settings(max_examples=100, deadline=None)
def test_depth_in_metres_comes_back_within_half_a_millimetre(metres: NDArray[np.float32]) -> None:
    back = decompress(compress(Image(HEADER, "32FC1", metres))).data
    valid = (metres >= 0.0005) & (metres <= 65.535)
    assert np.abs(back - metres)[valid].max(initial=0) < 0.000504
    assert (back[~valid & ~(metres > 0.0004)] == 0).all()
    assert (back[metres > 65.536] == 0).all()


def forged(height: int, width: int) -> bytes:
    """A small PNG that says it is large."""
    data = bytearray(compress(Image(HEADER, "mono8", np.zeros((4, 4), np.uint8))).data.tobytes())
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def test_a_chunk_that_says_it_is_large_is_refused_before_it_is_decoded() -> None:
    small = compress(Image(HEADER, "mono8", np.zeros((4, 4), np.uint8)))
    coded = small.data.copy()
    coded[33:37] = 255
    with pytest.raises(WireError, match=r"got \(0, 0, 0, 0\)"):
        decompress(replace(small, data=coded))


def test_a_picture_that_says_another_size_than_its_message_is_refused_before_it_is_decoded() -> None:
    small = compress(Image(HEADER, "mono8", np.zeros((4, 4), np.uint8)))
    bomb = np.frombuffer(forged(60000, 60000), np.uint8)
    tracemalloc.start()
    with pytest.raises(WireError, match="expected a png of"):
        decompress(replace(small, data=bomb))
    with pytest.raises(MessageError, match="at most 16777216 pixels"):
        replace(small, data=bomb, height=16000, width=16000)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["rgb8", "mono8", "16UC1", "32FC1"])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_damaged_pictures_are_decoded_or_refused(encoding: Encoding, data: st.DataObject) -> None:
    pixels = {"rgb8": smooth("rgb8").data, "mono8": smooth("rgb8").data[:, :, 0]}.get(encoding)
    dtype = np.float32 if encoding == "32FC1" else np.uint16
    coded = compress(Image(HEADER, encoding, np.ascontiguousarray(pixels) if pixels is not None else np.ones((60, 80), dtype)))
    damaged = coded.data.copy()
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        assert decompress(replace(coded, data=damaged[: data.draw(st.integers(0, len(damaged)))])).data.shape[:2] == (60, 80)


def test_colour_is_never_png_and_depth_never_jpeg() -> None:
    coded = compress(smooth("rgb8"))
    with pytest.raises(MessageError, match="expected jpeg for rgb8"):
        CompressedImage(HEADER, "16UC1", "jpeg", 60, 80, coded.data)
