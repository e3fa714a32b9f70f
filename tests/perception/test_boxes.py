from __future__ import annotations

import numpy as np

from seesay.perception.boxes import inside, iou, suppress
from seesay.perception.prompts import label


def test_iou_and_inside() -> None:
    a = np.array([[0, 0, 10, 10], [5, 5, 5, 5]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float32)
    np.testing.assert_allclose(iou(a, b), np.array([[1, 1 / 3, 0], [0, 0, 0]]))
    np.testing.assert_allclose(inside(a, b)[0], np.array([1, 0.5, 0]))


def test_suppression_keeps_the_best_of_each_group() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [20, 0, 30, 10]], np.float32)
    assert suppress(boxes, np.array([0, 0, 1, 0]), np.full(4, 0.5), 9).tolist() == [0, 2, 3]
    assert suppress(boxes, np.array([0, 0, 0, 0]), np.full(4, 0.9), 9).tolist() == [0, 1, 3]
    assert suppress(boxes[:0], np.zeros(0, int), np.zeros(0), 9).tolist() == []


def test_suppression_by_parts_is_that_of_all_at_once() -> None:
    random = np.random.default_rng(0)
    corner, size = random.uniform(0, 60, (300, 2)), random.uniform(5, 40, (300, 2))
    boxes, groups = np.concatenate([corner, corner + size], axis=1), random.integers(0, 4, 300)
    overlap = np.array([0.3, 0.5, 0.7, 0.0])[groups]
    whole = suppress(boxes, groups, overlap, 300)
    assert 30 < len(whole) < 250
    for most in (1, 7, 29):
        assert suppress(boxes, groups, overlap, most).tolist() == whole[:most].tolist()


def test_label() -> None:
    assert [label(text) for text in ("a red block", "the  green bowl", "a photo of a cup.", "apple", "a")] == [
        "red block",
        "green bowl",
        "cup",
        "apple",
        "a",
    ]
