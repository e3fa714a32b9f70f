"""Detectors that read picture and prompts together, against Hugging Face's own processing; which score belongs to which prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
import transformers

from seesay.errors import MessageError, ModelError, PromptError
from seesay.messages import Example, Header, Image, Prompt, PromptSet
from seesay.perception.detector import Detector
from seesay.perception.engines import open_detector
from seesay.perception.fused import FusedDetector
from seesay.perception.fused_text import Captions, Classes
from tests.perception import tiny, tiny_fused

PROMPTS = ("a red block", "Bowl", "the green cup")
SEPARATORS = {101, 102, 1012, 1029}


@pytest.fixture(scope="module", params=tiny_fused.FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_fused.save(tmp_path_factory.mktemp(family), family)


@pytest.fixture(scope="module")
def detector(folder: Path) -> FusedDetector:
    made = open_detector(str(folder), threshold=0.0)
    assert isinstance(made, FusedDetector)
    made.overlap = 1.0
    return made


def expected(folder: Path, family: str, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes `(P, 4)` xyxy pixels and scores `(P, Q)` by Hugging Face's processor and forward pass; a phrase's tokens are found by their
    place in the text of the caption."""
    network: Any = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(folder)
    processors: Any = transformers
    images = processors.AutoImageProcessor.from_pretrained(folder, backend="pil")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    pixels = images(rgb, return_tensors="pt")
    with torch.no_grad():
        if family == "omdet-turbo":
            text = {"padding": "max_length", "max_length": 24, "return_tensors": "pt"}
            classes, task = tokenizer(list(PROMPTS), **text), tokenizer([f"Detect {', '.join(PROMPTS)}."], **{**text, "max_length": 64})
            assert task["attention_mask"].sum() > 24   # the processor would cut the task off: only single prompts can be compared
            columns, boxes, diagonal = [], [], cast(Any, torch.block_diag)
            for index, prompt in enumerate(PROMPTS):
                task = tokenizer([f"Detect {prompt}."], **text)
                output = network(
                    pixel_values=pixels["pixel_values"], classes_input_ids=classes["input_ids"][index : index + 1],
                    classes_attention_mask=classes["attention_mask"][index : index + 1], tasks_input_ids=task["input_ids"],
                    tasks_attention_mask=task["attention_mask"], classes_structure=torch.tensor([1]),
                )  # fmt: skip
                boxes.append(output.decoder_coord_logits[0])
                columns.append(output.decoder_class_logits[0].sigmoid())
            scores, centred = diagonal(*columns), torch.cat(boxes)
        else:
            processor = processors.GroundingDinoProcessor(images, tokenizer)
            inputs = processor(images=rgb, text=[list(PROMPTS)], return_tensors="pt")
            output = network(**inputs)
            caption = ". ".join(prompt.lower() for prompt in PROMPTS) + "."
            places = tokenizer(caption, return_offsets_mapping=True)["offset_mapping"]
            rows, start = [], 0
            for prompt in PROMPTS:
                end = start + len(prompt)
                rows.append([number for number, (a, b) in enumerate(places) if a >= start and b <= end and b > a])
                start = end + 2
            assert [len(row) for row in rows] == [3, 1, 3]
            scores = torch.stack([output.logits[0].sigmoid()[:, row].mean(dim=1) for row in rows], dim=1)
            centred = output.pred_boxes[0]
    corners = torch.cat([centred[:, :2] - centred[:, 2:] / 2, centred[:, :2] + centred[:, 2:] / 2], dim=1).numpy()
    height, width = rgb.shape[:2]
    return np.clip(corners * [width, height, width, height], 0, [width, height, width, height]), scores.numpy()


@pytest.mark.parametrize("size", [(96, 128), (128, 96), (40, 56)])
def test_pairs_are_those_of_hugging_face(folder: Path, family: str, detector: FusedDetector, size: tuple[int, int]) -> None:
    rgb = tiny.picture(*size)
    boxes, scores = expected(folder, family, rgb)
    found = detector(rgb, PROMPTS)
    solid = (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)
    assert len(found.scores) == ((scores > 0) & solid[:, None]).sum() > len(PROMPTS)
    for index in range(len(PROMPTS)):
        mine = found.prompt_indices == index
        order = np.argsort(-scores[solid, index], kind="stable")[: mine.sum()]
        np.testing.assert_allclose(found.scores[mine], scores[solid, index][order], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found.boxes[mine], boxes[solid][order], atol=0.05)


def test_pictures_of_one_batch_keep_their_boxes_and_headers(detector: FusedDetector) -> None:
    pictures = [tiny.picture(seed=seed) for seed in range(3)]
    images = [Image(Header(seed), "rgb8", picture) for seed, picture in enumerate(pictures)]
    together = detector.detect_all(images, PromptSet(Header(0), 4, PROMPTS))
    for seed, found in enumerate(together):
        alone = detector(pictures[seed], PROMPTS)
        assert (found.header.stamp_ns, found.prompt_version, found.prompts) == (seed, 4, PROMPTS)
        np.testing.assert_allclose(found.scores, alone.scores, rtol=1e-3, atol=1e-5)
        best = found.scores.argmax()
        np.testing.assert_allclose(found.boxes[best], alone.boxes[alone.scores.argmax()], atol=0.1)


def test_a_batch_may_hold_pictures_of_several_sizes(detector: FusedDetector) -> None:
    images = [Image(Header(0), "rgb8", tiny.picture(*size)) for size in ((96, 128), (40, 56))]
    wide, small = detector.detect_all(images, PromptSet(Header(0), 1, PROMPTS))
    assert (wide.height, wide.width, small.height, small.width) == (96, 128, 40, 56)
    assert len(small.boxes)
    assert (small.boxes <= [56, 40, 56, 40]).all()


def test_any_number_of_prompts_is_answered(detector: FusedDetector) -> None:
    assert detector(tiny.picture(), []).boxes.shape == (0, 4)
    many = [f"{colour} {thing}" for colour in ("a red", "the green") for thing in ("block", "bowl", "cup", "photo")]
    assert set(detector(tiny.picture(), many).prompt_indices.tolist()) == set(range(len(many)))


def test_bad_prompts_and_pictures_are_named(detector: FusedDetector, family: str) -> None:
    with pytest.raises(PromptError, match=r"at most 24 tokens.*'photo photo"):
        detector(tiny.picture(), ["bowl", "photo " * 30])
    with pytest.raises(PromptError, match="empty one at place 2"):
        detector(tiny.picture(), ["bowl", " "])
    if family != "omdet-turbo":
        with pytest.raises(PromptError, match=r"without '\.' and '\?'.*got 'a cup\. a bowl'"):
            detector.check(["bowl", "a cup. a bowl"])
    with pytest.raises(MessageError, match="got encoding 32FC1"):
        detector.detect(Image(Header(0), "32FC1", np.ones((4, 4), np.float32)), PromptSet(Header(0), 1, PROMPTS))


def test_prompts_that_are_more_than_words_are_refused(detector: FusedDetector) -> None:
    for prompt in (Prompt("cup", templates=("a photo of a {}",)), Prompt("cup", examples=(Example(tiny.picture()),))):
        with pytest.raises(PromptError, match="got 'cup' with templates or pictures"):
            detector.check(["bowl", prompt])


def test_prompts_have_their_thresholds_and_negative_ones_no_boxes(detector: FusedDetector, family: str) -> None:
    rgb = tiny.picture()
    free = detector(rgb, PROMPTS)
    least = float(np.median(free.scores[free.prompt_indices == 0]))
    found = detector(rgb, [Prompt(PROMPTS[0], threshold=least), PROMPTS[1], Prompt(PROMPTS[2], threshold=1.0)])
    wanted = free.scores[(free.prompt_indices == 0) & (free.scores > least)]
    np.testing.assert_allclose(found.scores[found.prompt_indices == 0], wanted, rtol=1e-5)
    assert 0 < len(wanted) < (free.prompt_indices == 0).sum()
    assert set(found.prompt_indices.tolist()) == {0, 1}
    taken = detector(rgb, [PROMPTS[0], PROMPTS[1], Prompt(PROMPTS[2], negative=True)])
    assert set(taken.prompt_indices.tolist()) <= {0, 1}
    assert taken.prompts == PROMPTS
    if family != "omdet-turbo":   # whose tasks hold one of these prompts each, so that no box has scores for two
        assert len(taken.boxes) < (free.prompt_indices < 2).sum()


def test_a_tree_is_looked_for_inside_what_was_found(detector: FusedDetector) -> None:
    found = detector(tiny.picture(), ["bowl", "[a red block [the green cup] (bowl, cup)]"])
    assert found.prompts == ("bowl", "a red block", "the green cup", "bowl", "cup")
    kinds = found.prompt_indices >= 3
    assert kinds.any()
    np.testing.assert_array_equal(found.boxes[kinds], found.boxes[found.parents[kinds]])
    assert (found.prompt_indices[found.parents[found.prompt_indices >= 2]] == 1).all()
    assert (found.parents[found.prompt_indices < 2] == -1).all()


@pytest.mark.parametrize(
    ("picture", "words"),
    [(np.zeros((9, 9), np.uint8), "repeat the grey"), (np.zeros((9, 9, 4), np.uint8), "leave out the alpha"), (None, "got NoneType")],
    ids=["grey", "rgba", "none"],
)
def test_pictures_that_are_none_are_refused(detector: FusedDetector, picture: Any, words: str) -> None:
    with pytest.raises(MessageError, match=words):
        detector(picture, PROMPTS)


@pytest.mark.parametrize("size", [(1, 1), (3, 128), (96, 2)])
def test_odd_pictures_and_several_at_once_work(detector: FusedDetector, size: tuple[int, int]) -> None:
    odd = np.full((*size, 3), 90, np.uint8)
    first, second = detector([odd, tiny.picture()[::-1, ::-1]], PROMPTS)
    assert (first.height, first.width, second.height, second.width) == (*size, 96, 128)
    assert np.isfinite(first.scores).all()


def test_captions_are_those_of_hugging_face_and_know_the_place_of_each_phrase() -> None:
    tokenizer = tiny_fused.bert_tokenizer()
    (caption,) = Captions(tokenizer, 64, SEPARATORS)(PROMPTS)
    assert caption.ids == tokenizer("a red block. bowl. the green cup.")["input_ids"]
    assert [tokenizer.decode(caption.ids[span]) for span in caption.spans.values()] == [prompt.lower() for prompt in PROMPTS]


def test_captions_split_before_their_limit() -> None:
    tokenizer = tiny_fused.bert_tokenizer()
    prompts = [f"{colour} {thing}" for colour in ("red", "green", "a", "the") for thing in ("block", "bowl", "cup", "cat")]
    captions = Captions(tokenizer, 16, SEPARATORS)(prompts)
    assert len(captions) > 2
    assert all(len(caption.ids) <= 16 for caption in captions)
    said = {index: tokenizer.decode(caption.ids[span]) for caption in captions for index, span in caption.spans.items()}
    assert said == dict(enumerate(prompts))


def test_tasks_name_all_their_classes() -> None:
    tokenizer = tiny.tokenizer()
    prompts = [f"cup {number}" for number in range(9)]
    texts = Classes(tokenizer, 48)(prompts)
    assert len(texts) > 1
    names = [tokenizer.decode(ids, skip_special_tokens=True) for _, text in texts for ids, _ in text.classes]
    assert names == prompts
    for first, text in texts:
        ids, mask = text.task
        assert len(ids) == len(mask) == 48
        wanted = f"detect {', '.join(prompts[first : first + len(text.classes)])}."
        assert str(tokenizer.decode(ids, skip_special_tokens=True)).replace(" ", "") == wanted.replace(" ", "")


def test_a_model_of_the_wrong_kind_is_named(folder: Path, family: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"of the family {family!r}"):
        Detector.from_pretrained(str(folder))
    with pytest.raises(ModelError, match="expected float32, not compiled"):
        open_detector(str(folder), dtype="bfloat16")
    with pytest.raises(ModelError, match="of the family 'clipseg'"):
        open_detector(str(tiny.save_clipseg(tmp_path / "clipseg")))
