"""What peers get wrong between the network's numbers and the answer: which box answers which prompt, and where a mask ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from seesay import masks as coding
from seesay.errors import MessageError
from seesay.messages import Detections, Header, Image, Prompt, PromptSet
from seesay.perception import decoding
from seesay.perception.detector import Detector
from seesay.perception.embedded import load
from seesay.perception.owlvit import ImageCode, Owl
from seesay.perception.pipeline import found
from seesay.perception.prompts import full
from seesay.perception.segmenter import Segmenter
from tests.perception import tiny

LEFT, SHIFTED, RIGHT = [0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return Detector(Owl(load("detector", str(tiny.save_owl(tmp_path_factory.mktemp("owl"))))), threshold=0.3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_clipseg(tmp_path_factory.mktemp("clipseg"))


def select(probabilities: list[list[float]], *prompts: str | Prompt) -> list[tuple[list[float], float, int]]:
    """(box, score, index of the prompt) of what is left of the three boxes above."""
    corners = np.array([LEFT, SHIFTED, RIGHT], np.float32)
    boxes, scores, indices = decoding.select(corners, np.array(probabilities, np.float32), full(prompts), 0.3, 0.5)
    return [(box.tolist(), round(float(score), 3), int(index)) for box, score, index in zip(boxes, scores, indices, strict=True)]


def test_several_prompts_may_claim_one_box() -> None:
    assert select([[0.9, 0.8], [0, 0], [0, 0.4]], "a block", "a red block") == [(LEFT, 0.9, 0), (LEFT, 0.8, 1), (RIGHT, 0.4, 1)]


def test_a_prompt_may_have_a_threshold_of_its_own() -> None:
    scores = [[0.35, 0.35, 0.35], [0.0, 0.0, 0.0], [0.2, 0.2, 0.2]]
    found = select(scores, "bowl", Prompt("cup", threshold=0.1), Prompt("can", threshold=0.5))
    assert found == [(LEFT, 0.35, 0), (LEFT, 0.35, 1), (RIGHT, 0.2, 1)]


def test_boxes_suppress_each_other_within_a_prompt_by_its_own_overlap() -> None:
    scores = [[0.9, 0.9], [0.8, 0.8], [0.0, 0.0]]   # the first two boxes have an IoU of 2/3
    assert select(scores, "bowl", Prompt("cup", overlap=0.7)) == [(LEFT, 0.9, 0), (LEFT, 0.9, 1), (SHIFTED, 0.8, 1)]


def among_duplicates(probabilities: np.ndarray, *prompts: str) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and prompt indices where all but the last two boxes lie on one place; the last two lie elsewhere, apart."""
    corners = np.tile(np.array([LEFT], np.float32), (len(probabilities), 1))
    corners[:, 2] += np.linspace(0, 1, len(corners))
    corners[-2:] = [[30, 30, 40, 40], RIGHT]
    boxes, _, indices = decoding.select(corners, probabilities.astype(np.float32), full(prompts), 0.3, 0.5)
    return boxes, indices


def test_any_number_of_duplicates_leaves_room_for_another_prompt() -> None:
    scores = np.zeros((352, 2))
    scores[:350, 0], scores[350, 1] = 0.9, 0.4
    boxes, indices = among_duplicates(scores, "a block", "a cup")
    assert (boxes[1].tolist(), indices.tolist()) == ([30, 30, 40, 40], [0, 1])


def test_any_number_of_duplicates_leaves_room_for_another_thing_of_the_prompt() -> None:
    scores = np.full((1202, 1), 0.9)
    scores[-2:] = 0.4
    boxes, indices = among_duplicates(scores, "a block")
    assert (boxes[1:].tolist(), indices.tolist()) == ([[30, 30, 40, 40], RIGHT], [0, 0, 0])


@pytest.mark.parametrize("count", [2, 40, 400])
def test_every_prompt_that_has_a_box_keeps_its_best_one(count: int) -> None:
    side = 30
    grid = np.array([[10 * (i % side), 10 * (i // side), 10 * (i % side) + 9, 10 * (i // side) + 9] for i in range(side**2)], np.float32)
    scores = np.random.default_rng(0).uniform(0.31, 0.6, (len(grid), count)).astype(np.float32)
    scores[:, 0] += 0.3   # more than MOST boxes, each better than any of the others
    scores[:, 1] *= 0.3   # no box
    boxes, found, indices = decoding.select(grid, scores, full([f"thing {i}" for i in range(count)]), 0.3, 0.5)
    assert sorted(set(indices)) == [0, *range(2, count)]
    assert len(boxes) == max(decoding.MOST, count - 1)
    assert (np.diff(found) <= 0).all()
    for index in set(indices):
        assert found[indices == index][0] == scores[:, index].max()
        np.testing.assert_array_equal(boxes[indices == index][0], grid[scores[:, index].argmax()])


def test_a_box_whose_best_prompt_is_negative_answers_none() -> None:
    scores = [[0.6, 0.5, 0.9], [0.0, 0.0, 0.0], [0.6, 0.5, 0.4]]
    assert select(scores, "cup", "bowl", Prompt("hand", negative=True)) == [(RIGHT, 0.6, 0), (RIGHT, 0.5, 1)]


def test_boxes_are_clipped_and_those_outside_the_picture_are_none(detector: Detector) -> None:
    boxes = torch.tensor([[0.9, 0.5, 0.4, 2.0], [1.5, 0.5, 0.5, 0.5]])
    code = ImageCode(torch.zeros(2, 32), torch.zeros(2, 1), torch.ones(2, 1), boxes, None)
    corners = detector.corners(code, 100, 200)
    np.testing.assert_allclose(corners[0], [140, 0, 200, 100], rtol=1e-6)
    assert decoding.select(corners, np.ones((2, 1), np.float32), full(["cup"]), 0.3, 0.5)[0].tolist() == [corners[0].tolist()]


def test_there_is_a_score_for_each_prompt_and_for_nothing_else(detector: Detector) -> None:
    """Hugging Face pads lists of prompts with blanks, which score; here a list is as long as it is."""
    everything = Detector(detector.owl, threshold=0.0, overlap=1.0)
    for prompts in (["cup"], ["cup", "a green bowl"], ["cup"] * 5):
        answer = everything(tiny.picture(), prompts)
        assert np.bincount(answer.prompt_indices).tolist() == [len(answer.scores) // len(prompts)] * len(prompts)
        assert answer.prompts == tuple(prompts)


def test_negative_prompts_reach_the_network_and_never_the_answer(detector: Detector) -> None:
    everything, rgb = Detector(detector.owl, threshold=0.0, overlap=1.0), tiny.picture()
    free = everything(rgb, ["cup", "hand"])
    answer = everything(rgb, ["cup", Prompt("hand", negative=True)])
    assert set(answer.prompt_indices) <= {0}
    assert len(answer.scores) == sum(free.scores[free.prompt_indices == 0] > free.scores[free.prompt_indices == 1][_partners(free)])


def _partners(free: Detections) -> list[int]:
    """For each box of prompt 0, its place among those of prompt 1."""
    first, second = (free.boxes[free.prompt_indices == index] for index in (0, 1))
    return [int(np.abs(second - box).max(axis=1).argmin()) for box in first]


def test_logits_are_brought_to_the_size_of_the_picture_before_the_threshold(folder: Path) -> None:
    segmenter, rgb = Segmenter.from_pretrained(str(folder), threshold=0.6), tiny.picture(96, 128)
    masks = segmenter(rgb, ["bowl", Prompt("cup", mask_threshold=0.4)])
    small = segmenter.clipseg.logits(segmenter.clipseg.encode_image(rgb), ["bowl", "cup"])
    full = torch.nn.functional.interpolate(small[None], size=(96, 128), mode="bilinear", align_corners=False)[0].sigmoid().numpy()
    answer = coding.decode(masks.counts, masks.starts, 96, 128)
    for mask, probability, least in zip(answer, full, (0.6, 0.4), strict=True):
        clear = np.abs(probability - least) > 1e-5
        assert 0 < mask.sum() < mask.size
        np.testing.assert_array_equal(mask[clear], (probability > least)[clear])


def test_a_prompt_that_nothing_answers_has_an_empty_mask(folder: Path) -> None:
    prompts: list[str | Prompt] = [Prompt("bowl", mask_threshold=1.0), "cup", Prompt("can", mask_threshold=0.0)]
    masks = Segmenter.from_pretrained(str(folder))(tiny.picture(), prompts)
    answer = coding.decode(masks.counts, masks.starts, 96, 128)
    assert not answer[0].any()
    assert answer[2].all()
    assert masks.scores.shape == (3,)


def test_what_has_a_box_keeps_its_prompt_for_the_masks(detector: Detector) -> None:
    cup = Prompt("cup", threshold=0.0, mask_threshold=0.2)
    asked = PromptSet(Header(0), 4, (Prompt("bowl", threshold=1.0), cup))
    words = found(detector.detect(Image(Header(0), "rgb8", tiny.picture()), asked), asked)
    assert (words.version, words.prompts, words.texts) == (4, (cup,), ("cup",))


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan")])
def test_thresholds_lie_between_0_and_1(value: float) -> None:
    with pytest.raises(MessageError, match=rf"Prompt\.threshold: expected a number in \[0, 1\], got {value}"):
        Prompt("cup", threshold=value)
    with pytest.raises(MessageError, match=r"Prompt\.overlap"):
        Prompt("cup", overlap=value)
    with pytest.raises(MessageError, match=r"Prompt\.mask_threshold"):
        Prompt("cup", mask_threshold=value)
