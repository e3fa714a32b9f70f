"""Faults that were found in other robot-perception packages: each test would catch its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seesay import codec
from seesay import masks as coding
from seesay.errors import WireError
from seesay.messages import CameraInfo, Detections, Header, Image, Masks, PromptSet, Source
from seesay.perception import Detector, ObjectTracker, Segmenter
from seesay.perception.decoding import select
from seesay.perception.grounding import Observation, View, ground
from seesay.perception.owlvit import ImageCode
from seesay.perception.pictures import read_picture
from seesay.perception.prompts import full
from seesay.perception.tower import Tower
from tests.perception import raycast as rc
from tests.perception import tiny

PICTURE = Path(__file__).parents[2] / "examples" / "tabletop.png"
CAMERA = rc.Camera()


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.from_pretrained()


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    return read_picture(PICTURE)


def grounded(things: list[rc.Thing], depth: np.ndarray, ids: np.ndarray, masked: bool = True) -> dict[str, Observation]:
    found, masks = rc.perfect(things, ids, CAMERA)
    sights = ground(found, masks if masked else None, rc.depth_image(depth, CAMERA), CAMERA.info, CAMERA.pose)
    return {o.label: o for o in sights.observations}


def test_depth_is_rows_then_columns() -> None:
    """Transposed, it has the right size where the picture is square, and is wrong off the diagonal."""
    things = [rc.can("tall", -0.08, -0.06), rc.plate("flat", 0.06, 0.06)]
    depth, ids = rc.cast(things, CAMERA)
    left = (rc.WIDTH - rc.HEIGHT) // 2
    found, masks = rc.perfect(things, ids, CAMERA)
    whole = coding.decode(masks.counts, masks.starts, rc.HEIGHT, rc.WIDTH)[:, :, left:-left]
    counts, starts = coding.encode(np.ascontiguousarray(whole))
    side, k = rc.HEIGHT, CAMERA.k - np.array([[0, 0, left], [0, 0, 0], [0, 0, 0]])
    boxes = (found.boxes - np.array([left, 0, left, 0])).astype(np.float32)
    info = CameraInfo(Header(0), side, side, k)
    image = rc.depth_image(np.ascontiguousarray(depth[:, left:-left]), CAMERA)
    square = replace(found, width=side, boxes=boxes), replace(masks, width=side, counts=counts, starts=starts)
    seen = {o.label: o for o in ground(*square, image, info, CAMERA.pose).observations}
    for thing in things:
        np.testing.assert_allclose(seen[thing.name].position, thing.centre, atol=0.002)


def test_missing_depth_is_not_a_depth_of_zero() -> None:
    thing = rc.block("block", 0.1, 0.0)
    depth, ids = rc.cast([thing], CAMERA)
    depth[np.random.default_rng(1).random(depth.shape) < 0.25] = 0
    np.testing.assert_allclose(grounded([thing], depth, ids)["block"].position, thing.centre, atol=0.003)


def test_the_background_in_a_box_does_not_count() -> None:
    thing = rc.ball("ball", 0.0, 0.0)
    depth, ids = rc.cast([thing], CAMERA)
    found = rc.perfect([thing], ids, CAMERA)[0]
    wide = replace(found, boxes=(found.boxes + np.array([-25, -25, 25, 25])).astype(np.float32))
    x0, y0, x1, y1 = wide.boxes[0].astype(int)
    naive = np.median(depth[y0:y1, x0:x1]) - np.median(depth[ids == 0])
    assert naive > 0.01
    (seen,) = ground(wide, None, rc.depth_image(depth, CAMERA), CAMERA.info, CAMERA.pose).observations
    np.testing.assert_allclose(seen.position, thing.centre, atol=0.002)


def test_the_near_side_of_a_gap_is_the_thing() -> None:
    """One filter kept the points farther than its threshold, the wall instead of the ball before it."""
    camera = rc.Camera("front", -90, 1.0, 0.8, target=(0.0, 0.0, 0.3))
    ball = rc.ball("ball", 0.0, 0.0, 0.05, z=0.25)
    depth, ids = rc.cast([ball], camera)
    depth = np.where(ids < 0, np.float32(1.5), depth)
    found, _ = rc.perfect([ball], ids, camera)
    (seen,) = ground(found, None, rc.depth_image(depth, camera), camera.info, camera.pose).observations
    np.testing.assert_allclose(seen.position, [0, 0, 0.3], atol=0.004)


def test_the_extent_of_a_turned_block_is_along_the_axes() -> None:
    """|R| times the size in the camera's frame is not the size in the world's."""
    for yaw in (0.0, 0.4, np.pi / 4):
        block = rc.block("block", 0.0, 0.0, 0.05, yaw=yaw)
        seen = grounded([block], *rc.cast([block], CAMERA))["block"]
        across = 0.05 * (abs(np.cos(yaw)) + abs(np.sin(yaw)))
        np.testing.assert_allclose(seen.extent, [across, across, 0.05], atol=0.004)


def test_what_has_no_depth_is_not_dropped() -> None:
    cup = rc.cup("glass cup", 0.0, 0.0)
    depth, ids = rc.cast([cup], CAMERA)
    found, _ = rc.perfect([cup], ids, CAMERA)
    sights = ground(found, None, rc.depth_image(np.where(ids == 0, np.float32(0), depth), CAMERA), CAMERA.info, CAMERA.pose)
    assert [b.label for b in sights.bearings] == ["glass cup"]


def test_pictures_without_detections_age_what_was_seen() -> None:
    tracker, block = ObjectTracker(), rc.block("block", 0.0, 0.0)
    for stamp in range(1, 4):
        depth, ids = rc.cast([block] if stamp == 1 else [], CAMERA)
        found, masks = rc.perfect([block] if stamp == 1 else [], ids, CAMERA, stamp)
        image = rc.depth_image(depth, CAMERA, stamp)
        view = View(image, image, CAMERA.info, CAMERA.pose)
        objects = tracker.update(ground(found, masks, image, CAMERA.info, CAMERA.pose), found.header, view)
    assert [(o.status, o.last_seen_ns) for o in objects.objects] == [("lost", 1)]


def test_results_carry_the_stamp_of_the_picture_not_of_the_answer(detector: Detector, rgb: np.ndarray) -> None:
    header = Header(77, 5, "front_optical", "sim", Source("front", 5, 77))
    found = detector.detect(Image(header, "rgb8", rgb), PromptSet(Header(9_999), 1, ("a red block",)))
    assert found.header == header


def test_the_order_of_colours_is_that_of_the_encoding(detector: Detector, rgb: np.ndarray) -> None:
    prompts = PromptSet(Header(0), 1, ("a red block", "a blue block", "an orange ball", "a cyan ball"))
    right = detector.detect(Image(Header(0), "rgb8", rgb), prompts)
    swapped = np.ascontiguousarray(rgb[..., ::-1])
    same = detector.detect(Image(Header(0), "bgr8", swapped), prompts)
    np.testing.assert_array_equal(same.boxes, right.boxes)
    np.testing.assert_array_equal(same.prompt_indices, right.prompt_indices)
    wrong = detector.detect(Image(Header(0), "rgb8", swapped), prompts)
    assert wrong.scores.tolist() != right.scores.tolist()


@pytest.mark.parametrize(("family", "middle"), [("owlvit", (160, 60)), ("owlv2", (160, 160))])
def test_the_letterbox_of_boxes_is_undone(tmp_path: Path, family: str, middle: tuple[int, int]) -> None:
    """The middle of OWLv2's square is not that of the picture, which fills its upper part; OWL-ViT's is."""
    detector = Detector.from_pretrained(str(tiny.save_owl(tmp_path, family)))
    one = torch.zeros(1, 1)
    code = ImageCode(one, one, one, torch.tensor([[0.5, 0.25, 0.1, 0.1], [0.5, 0.5, 0.1, 0.1]]), None)
    corners = detector.corners(code, 240, 320)
    centre = (corners[:, :2] + corners[:, 2:]) / 2
    if family == "owlvit":
        np.testing.assert_allclose(centre, [middle, (160, 120)])
    else:
        np.testing.assert_allclose(centre, [(160, 80), middle])


def test_masks_lie_on_their_things_in_a_picture_that_is_not_square(detector: Detector, rgb: np.ndarray) -> None:
    """Scores of a padded square that are stretched to the picture shift every mask of a wide camera."""
    segmenter = Segmenter.from_pretrained()
    found = detector(rgb, ["a red block"])
    strip = np.ascontiguousarray(rgb[: int(found.boxes[0, 3]) + 12])
    box = detector(strip, ["a red block"]).boxes[0]
    masks = segmenter(strip, ["a red block"])
    rows, columns = np.nonzero(coding.decode(masks.counts, masks.starts, *strip.shape[:2])[0])
    assert box[0] < columns.mean() < box[2]
    assert box[1] < rows.mean() < box[3]


def test_mask_thresholds_are_probabilities_not_logits(rgb: np.ndarray) -> None:
    segmenter = Segmenter.from_pretrained(threshold=0.5)
    masks = segmenter(rgb, ["a red block"])
    drawn = coding.decode(masks.counts, masks.starts, *rgb.shape[:2])
    np.testing.assert_array_equal(drawn, segmenter.probabilities(rgb, ["a red block"]) > 0.5)


def test_masks_travel_bit_by_bit() -> None:
    drawn = np.random.default_rng(0).random((3, 48, 64)) < 0.5
    counts, starts = coding.encode(drawn)
    message = Masks(Header(1), 1, ("a", "b", "c"), "m", 48, 64, counts, starts, np.ones(3, np.float32))
    received = codec.decode(codec.encode(message), Masks)
    np.testing.assert_array_equal(coding.decode(received.counts, received.starts, 48, 64), drawn)


def test_several_prompts_may_claim_one_box() -> None:
    """Where a box keeps its best prompt only, "block" and "red block" steal boxes from each other."""
    box = np.array([[0, 0, 40, 40]], np.float32)
    _, scores, indices = select(box, np.array([[0.9, 0.8]], np.float32), full(["block", "red block"]), 0.3, 0.5)
    assert indices.tolist() == [0, 1]
    assert scores.tolist() == pytest.approx([0.9, 0.8])


def test_a_thing_found_twice_is_suppressed_within_its_prompt() -> None:
    boxes = np.array([[0, 0, 40, 40], [1, 1, 41, 41], [100, 0, 140, 40]], np.float32)
    scores = np.array([[0.9, 0.8], [0.8, 0.7], [0.7, 0.0]], np.float32)
    _, _, indices = select(boxes, scores, full(["cup", "bowl"]), 0.3, 0.5)
    assert sorted(indices.tolist()) == [0, 0, 1]


def test_results_say_in_words_what_they_answer(detector: Detector, rgb: np.ndarray) -> None:
    """A number into a list that changed meanwhile says nothing."""
    first = detector.detect(Image(Header(0), "rgb8", rgb), PromptSet(Header(0), 1, ("a green bowl", "a red block")))
    second = detector.detect(Image(Header(0), "rgb8", rgb), PromptSet(Header(0), 2, ("a red block",)))
    for found in (first, second):
        received = codec.decode(codec.encode(found), Detections)
        assert received.prompt_version == found.prompt_version
        assert "a red block" in {received.prompts[index] for index in received.prompt_indices}


def test_a_text_is_encoded_once_and_a_picture_once_whatever_the_number_of_prompts(
    rgb: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = 0

    def counted(work: Callable[[Tower, torch.Tensor], Any]) -> Callable[[Tower, torch.Tensor], Any]:
        def count(tower: Tower, hidden: torch.Tensor) -> Any:
            nonlocal runs
            runs += 1
            return work(tower, hidden)

        return count

    monkeypatch.setattr(Tower, "__call__", counted(Tower.__call__))
    monkeypatch.setattr(Tower, "run", counted(Tower.run))
    detector, segmenter = Detector.from_pretrained(), Segmenter.from_pretrained()
    prompts = ["a red block", "a green bowl", "a blue cup"]
    for _ in range(2):
        detector(rgb, prompts)
        segmenter(rgb, prompts)
    assert runs == 4
    assert (detector.owl.encode_prompts.texts.encoded, segmenter.clipseg.encode_prompts.texts.encoded) == (3, 3)


def test_intrinsics_under_another_name_are_not_replaced_by_a_guess() -> None:
    parts = [bytes(part) for part in codec.encode(CAMERA.info)]
    renamed = [part.replace(b"\xa1k", b"\xa1q") for part in parts]
    assert renamed != parts
    with pytest.raises(WireError):
        codec.decode(renamed, CameraInfo)
