"""The accuracy benchmark on cases whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy_places import _switched
from benchmarks.accuracy_scenes import Picture, Truth
from benchmarks.accuracy_scores import diagram, outcomes, reliability
from benchmarks.accuracy_stage import Seen, Shot, noisy
from benchmarks.tabletop_accuracy import NAMES, at_threshold, coco_ap50
from seesay.messages import Detections, Header, Image, Object, Objects, Source
from seesay.perception.grounding import View


def picture(*objects: tuple[str, tuple[int, int, int, int], float]) -> Picture:
    truths = tuple(Truth(name, np.array(box, np.float32), visible, k + 1) for k, (name, box, visible) in enumerate(objects))
    return Picture(np.zeros((240, 320, 3), np.uint8), np.zeros((240, 320), np.uint8), truths)


def answer(*boxes: tuple[str, tuple[int, int, int, int], float]) -> Detections:
    return Detections(
        Header(0), 0, NAMES, "known", 240, 320, np.array([box for _, box, _ in boxes], np.float32).reshape(-1, 4),
        np.array([score for *_, score in boxes], np.float32), np.array([NAMES.index(name) for name, *_ in boxes], np.int32),
        np.array([score / 2 for *_, score in boxes], np.float32),
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


def test_a_box_is_right_once() -> None:
    shots = [picture(("red block", BOX, 1.0), ("blue can", FAR, 0.1))]
    found = [answer(("red block", BOX, 0.9), ("red block", BOX, 0.8), ("blue can", FAR, 0.7), ("red cup", FAR, 0.6), ("red cup", FAR, 0.2))]
    scores, probabilities, hits = outcomes(shots, found, 0.3)
    assert scores.tolist() == pytest.approx([0.9, 0.8, 0.6])   # the can is mostly hidden
    assert probabilities.tolist() == pytest.approx([0.45, 0.4, 0.3])
    assert hits.tolist() == [True, False, False]


def test_the_calibration_error_is_the_mean_gap() -> None:
    bins, error = reliability(np.array([0.95, 0.95, 0.15, 0.15]), np.array([True, True, True, False]))
    assert [(round(b["mean"], 2), b["right"], b["boxes"]) for b in bins] == [(0.15, 0.5, 2), (0.95, 1.0, 2)]
    assert error == pytest.approx((0.35 + 0.05) / 2)
    assert diagram({"raw": bins}).count("<polyline") == 1


def test_identity_switches_are_counted_where_they_happen() -> None:
    def thing(identity: int, x: float) -> Object:
        box, place = np.zeros(4, np.float32), np.array([x, 0.0, 0.0])
        return Object(identity, "block", 1.0, box, place, np.eye(3), np.ones(3), 0, Source("", 0, 0))

    def objects(*placed: tuple[int, float]) -> Objects:
        return Objects(Header(0), tuple(thing(identity, x) for identity, x in placed))

    def shot(*things: tuple[str, float]) -> Shot:
        view: View = None  # type: ignore[assignment]
        return Shot(view, tuple(Seen(name, np.ones((1, 1), bool), np.array([x, 0, 0]), True) for name, x in things))

    known: dict[str, int] = {}
    assert _switched(shot(("a", 0.0), ("b", 0.1)), objects((1, 0.01), (2, 0.1)), known) == 0
    assert _switched(shot(("a", 0.06), ("b", 0.08)), objects((1, 0.075), (2, 0.065)), known) == 0   # near enough: pairs hold
    assert _switched(shot(("a", 0.0), ("b", 0.1)), objects((2, 0.0), (1, 0.1)), known) == 2
    assert _switched(shot(("a", 0.0)), objects((9, 0.5)), known) == 0
    assert _switched(shot(("a", 0.0)), objects((9, 0.0)), known) == 1


def test_the_noise_of_depth_grows_with_its_square() -> None:
    depth = Image(Header(0), "32FC1", np.concatenate([np.full((60, 80), 0.8), np.full((60, 80), 3.0)]).astype(np.float32))
    wrong = noisy(depth, np.random.default_rng(0)).data - depth.data
    near, far = wrong[5:50], wrong[70:115]
    assert near.std() == pytest.approx(0.0023, rel=0.25)
    assert far.std() == pytest.approx(0.019, rel=0.25)
