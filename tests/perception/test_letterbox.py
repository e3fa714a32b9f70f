"""A thing far from the middle comes back where it was, whatever the picture went through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from seesay.errors import ModelError
from seesay.perception.decoding import clipped_corners
from seesay.perception.detector import Detector
from seesay.perception.engines import open_detector
from seesay.perception.preprocess import Preprocess
from tests.perception import tiny, tiny_fused

SQUASH = Preprocess.from_config("owlvit", {"size": 384})
FITS = {"squash": SQUASH, "letterbox": replace(SQUASH, fit="letterbox"), "owlv2": Preprocess.from_config("owlv2", {"size": 384})}


def edges(profile: NDArray[np.float32]) -> tuple[float, float]:
    """Where a bright stretch begins and ends, in pixels, at half of its height."""
    bright = profile > (half := (profile.max() + profile.min()) / 2)
    first, last = np.flatnonzero(bright)[[0, -1]]
    begin = first + 0.5 - (profile[first] - half) / (profile[first] - profile[first - 1])
    return begin, last + 0.5 + (profile[last] - half) / (profile[last] - profile[last + 1])


@pytest.mark.parametrize("size", [(240, 320), (320, 240), (300, 300), (217, 373), (480, 640)])
@pytest.mark.parametrize("fit", FITS)
def test_a_box_off_the_centre_is_right_to_a_pixel(fit: str, size: tuple[int, int]) -> None:
    preprocess, (height, width) = FITS[fit], size
    thing = np.array([0.7 * width, 0.6 * height, 0.9 * width, 0.85 * height]).round()
    rgb = np.zeros((height, width, 3), np.uint8)
    x0, y0, x1, y1 = thing.astype(int)
    rgb[y0:y1, x0:x1] = 255
    seen = preprocess(rgb)[1]
    (left, right), (top, bottom) = edges(seen[seen.argmax() // 384]), edges(seen[:, seen.argmax() % 384])
    box = np.array([[(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]], np.float32) / np.float32(384)
    np.testing.assert_allclose(clipped_corners(box, preprocess.span(height, width), height, width)[0], thing, atol=1.0)


@pytest.mark.parametrize("size", [(96, 128), (128, 96), (100, 128), (37, 640), (1, 500), (64, 64)])
def test_a_letterbox_keeps_the_shape_and_fills_with_black(size: tuple[int, int]) -> None:
    preprocess = replace(FITS["letterbox"], height=64, width=64)
    rgb = np.full((*size, 3), 200, np.uint8)
    seen = preprocess(rgb)
    black, grey = preprocess._tables[:, 0], preprocess._tables[:, 200]
    rows, columns = (max(1, side * 64 // max(size)) for side in size)
    np.testing.assert_array_equal(seen[:, :rows, :columns], np.broadcast_to(grey[:, None, None], (3, rows, columns)))
    for rest in (seen[:, rows:], seen[:, :, columns:]):
        np.testing.assert_array_equal(rest, np.broadcast_to(black[:, None, None], rest.shape))


def test_a_letterbox_is_the_squash_of_the_padded_square() -> None:
    rgb = tiny.picture(96, 128)
    square = np.zeros((128, 128, 3), np.uint8)
    square[:96] = rgb
    squash = replace(SQUASH, height=64, width=64)
    np.testing.assert_allclose(replace(squash, fit="letterbox")(rgb)[:, :45], squash(square)[:, :45], atol=1e-6)
    np.testing.assert_array_equal(replace(squash, fit="letterbox")(square), squash(square))


def test_only_an_owlvit_has_the_choice(tmp_path: Path) -> None:
    model = str(tiny.save_owl(tmp_path / "v1"))
    assert Detector.from_pretrained(model).owl.preprocess.fit == "squash"
    detector = Detector.from_pretrained(model, threshold=0.0, letterbox=True)
    assert detector.owl.preprocess.fit == "letterbox"
    assert (detector(tiny.picture(), ["cup"]).boxes <= [128, 96, 128, 96]).all()
    assert Detector.from_pretrained(str(tiny.save_owl(tmp_path / "v2", "owlv2")), letterbox=True).owl.preprocess.fit == "pad"
    with pytest.raises(ModelError, match="expected an OWL-ViT for letterbox"):
        open_detector(str(tiny_fused.save(tmp_path / "fused", tiny_fused.FAMILIES[0])), letterbox=True)
