"""What scores mean as probabilities, and that it travels to the objects."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seesay.errors import MessageError, ModelError
from seesay.messages import Detections
from seesay.perception import Detector, ObjectTracker, ground
from seesay.perception.calibration import Calibration, load_calibration, logit
from seesay.perception.embedded import folder
from seesay.perception.training.calibrate import fit, right
from tests.perception import raycast as rc
from tests.perception import tiny


def test_each_prompt_has_its_curve_and_unknown_ones_the_common_one() -> None:
    calibration = Calibration((1.0, 0.0), {"red block": (2.0, 1.0)})
    scores = np.array([0.5, 0.5, 0.8, 0.0, 1.0], np.float32)
    prompts = ("a red block", "a photo of a Red Block", "zebra")
    given = calibration.probabilities(prompts, np.array([0, 1, 2, 2, 0]), scores)
    assert given.dtype == np.float32
    np.testing.assert_allclose(given, [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-1)), 0.8, 0, 1], atol=1e-5)
    assert calibration.probabilities((), np.zeros(0, np.int32), np.zeros(0, np.float32)).shape == (0,)


def test_a_fit_finds_the_curve_and_few_boxes_stay_near_the_common_one() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.02, 0.98, 4000)
    hits = rng.random(4000) < 1 / (1 + np.exp(-(2.0 * logit(scores) - 1.0)))
    slope, offset = fit(scores, hits)
    assert slope == pytest.approx(2.0, abs=0.25)
    assert offset == pytest.approx(-1.0, abs=0.25)
    assert fit(scores[:2], ~hits[:2], (slope, offset), prior=20.0) == pytest.approx((slope, offset), abs=0.25)


def test_a_thing_is_met_once() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], np.float32)
    assert right(boxes, boxes[:1]).tolist() == [True, False, False]
    assert right(boxes, np.zeros((0, 4), np.float32)).tolist() == [False] * 3


def test_the_embedded_detector_knows_what_its_scores_mean() -> None:
    calibration = load_calibration(folder("detector"))
    assert calibration is not None
    assert len(calibration.curves) == 66
    low, high = calibration.probabilities(("a red block",), np.array([0, 0]), np.array([0.1, 0.7]))
    assert low < 0.2
    assert high > 0.8


def test_probabilities_reach_the_objects(tmp_path: Path) -> None:
    path = tiny.save_owl(tmp_path)
    (path / "calibration.json").write_text(json.dumps({"default": [1.0, -1.0], "prompts": {}}))
    detector = Detector.from_pretrained(str(path), threshold=0.0)
    found = detector(tiny.picture(), ["bowl"])
    expected = 1 / (1 + np.exp(-(logit(found.scores) - 1)))
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-4)
    camera, thing = rc.Camera(), rc.block("red block", 0.0, 0.0)
    depth, ids = rc.cast([thing], camera)
    boxes, masks = rc.perfect([thing], ids, camera)
    image = rc.depth_image(depth, camera)
    for given, wanted in ((np.array([0.7], np.float32), pytest.approx(0.7)), (np.zeros(0, np.float32), None)):
        sights = ground(replace(boxes, probabilities=given), masks, image, camera.info, camera.pose)
        (seen,) = ObjectTracker().update(sights, boxes.header).objects
        assert seen.probability == wanted


def test_without_a_calibration_there_are_no_probabilities(tmp_path: Path) -> None:
    detector = Detector.from_pretrained(str(tiny.save_owl(tmp_path)), threshold=0.0)
    assert detector.calibration is None
    assert detector(tiny.picture(), ["bowl"]).probabilities.shape == (0,)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"default": [1, 0]}', '{"default": [0, 0], "prompts": {}}', '{"default": [1, NaN], "prompts": {}}',
     '{"default": [1, 0], "prompts": {"a": [1]}}', '{"default": [1, 0], "prompts": {"a": [-1, 0]}}'],
)  # fmt: skip
def test_a_damaged_calibration_is_refused_in_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "calibration.json").write_text(content)
    with pytest.raises(ModelError, match=r"calibration\.json: expected a calibration .* fit it again or remove it"):
        load_calibration(tmp_path)


def test_probabilities_belong_to_boxes() -> None:
    camera, thing = rc.Camera(), rc.block("red block", 0.0, 0.0)
    boxes: Detections = rc.perfect([thing], rc.cast([thing], camera)[1], camera)[0]
    with pytest.raises(MessageError, match=r"Detections.probabilities: expected \(1\) float32"):
        replace(boxes, probabilities=np.zeros(2, np.float32))
