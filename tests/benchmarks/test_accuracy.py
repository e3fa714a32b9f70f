"""The accuracy benchmark on cases whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy_scenes import Picture, Truth
from benchmarks.tabletop_accuracy import NAMES, at_threshold, coco_ap50
from seesay.messages import Detections, Header


def picture(*objects: tuple[str, tuple[int, int, int, int], float]) -> Picture:
    truths = tuple(Truth(name, np.array(box, np.float32), visible, k + 1) for k, (name, box, visible) in enumerate(objects))
    return Picture(np.zeros((240, 320, 3), np.uint8), np.zeros((240, 320), np.uint8), truths)


def answer(*boxes: tuple[str, tuple[int, int, int, int], float]) -> Detections:
    return Detections(
        Header(0), 0, NAMES, "known", 240, 320, np.array([box for _, box, _ in boxes], np.float32).reshape(-1, 4),
        np.array([score for *_, score in boxes], np.float32), np.array([NAMES.index(name) for name, *_ in boxes], np.int32),
    )  # fmt: skip


BOX, FAR = (10, 10, 50, 50), (200, 100, 240, 140)


def test_perfect_answers_have_ap_1() -> None:
    shots = [picture(("red block", BOX, 1.0)), picture(("blue ball", FAR, 1.0))]
    found = [answer(("red block", BOX, 0.9)), answer(("blue ball", FAR, 0.8))]
    assert coco_ap50(shots, found, NAMES)["ap50"] == pytest.approx(1.0)
    assert at_threshold(shots, found, 0.5) == (0.0, 1.0)


def test_a_wrong_name_costs_both_names() -> None:
    shots = [picture(("red block", BOX, 1.0)), picture(("red ball", FAR, 1.0))]
    found = [answer(("red ball", BOX, 0.9)), answer(("red ball", FAR, 0.8))]
    assert coco_ap50(shots, found, NAMES)["ap50"] == pytest.approx(0.25, abs=0.01)
    wrong, recall = at_threshold(shots, found, 0.5)
    assert wrong == pytest.approx(1 / 118)
    assert recall == 0.5


def test_a_mostly_hidden_thing_neither_counts_nor_costs() -> None:
    shots = [picture(("red block", BOX, 1.0), ("blue can", FAR, 0.1))]
    for found in ([answer(("red block", BOX, 0.9))], [answer(("red block", BOX, 0.9), ("blue can", FAR, 0.95))]):
        assert coco_ap50(shots, found, NAMES)["ap50"] == pytest.approx(1.0)
        assert at_threshold(shots, found, 0.5) == (0.0, 1.0)


def test_a_misplaced_box_is_a_miss() -> None:
    shots = [picture(("red block", BOX, 1.0))]
    found = [answer(("red block", (40, 40, 80, 80), 0.9))]
    assert coco_ap50(shots, found, NAMES)["ap50"] == 0.0
    assert at_threshold(shots, found, 0.5)[1] == 0.0
