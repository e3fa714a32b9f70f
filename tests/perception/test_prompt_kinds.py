"""Templates, pictures and mixes as prompts, against what Hugging Face computes where it has such a thing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray

from seesay.errors import MessageError, PromptError
from seesay.messages import Example, Prompt
from seesay.perception.boxes import iou
from seesay.perception.clipseg import ClipSeg
from seesay.perception.detector import Detector
from seesay.perception.embedded import load
from seesay.perception.one_shot import choose_token, outline
from seesay.perception.owlvit import Owl
from seesay.perception.pictures import read_picture
from seesay.perception.queries import PromptEncoder
from seesay.perception.visual_prompt import engineer
from tests.perception import tiny

TEMPLATES = ("a photo {}", "the {}", "{}")


@pytest.fixture(scope="module", params=["owlvit", "owlv2"])
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_owl(tmp_path_factory.mktemp(family), family)


@pytest.fixture(scope="module")
def clipseg_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_clipseg(tmp_path_factory.mktemp("clipseg"))


def pixels(model: Owl | ClipSeg, *pictures: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.stack([model.preprocess(rgb) for rgb in pictures]))


def test_templates_give_the_mean_of_the_logits_that_hugging_face_has_for_each(folder: Path, family: str) -> None:
    network_class = transformers.Owlv2ForObjectDetection if family == "owlv2" else transformers.OwlViTForObjectDetection
    owl, rgb = Owl(load("detector", str(folder))), tiny.picture()
    text = tiny.tokenizer()([template.format("cup") for template in TEMPLATES], padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = network_class.from_pretrained(folder)(**text, pixel_values=pixels(owl, rgb)).logits[0].mean(dim=1)
    logits = owl.logits(owl.encode_image(rgb), ["bowl", Prompt("cup", TEMPLATES)])
    torch.testing.assert_close(logits[:, 1], expected, rtol=1e-4, atol=1e-4)
    assert owl.encode_prompts.texts.encoded == 4


def test_one_shot_equals_hugging_face_for_each_picture_of_a_batch(folder: Path, family: str) -> None:
    network_class = transformers.Owlv2ForObjectDetection if family == "owlv2" else transformers.OwlViTForObjectDetection
    network, owl = network_class.from_pretrained(folder), Owl(load("detector", str(folder)))
    pictures = [tiny.picture(seed=seed) for seed in range(4)]
    queries = [tiny.picture(64, 80, seed=10 + seed) for seed in range(4)]
    with torch.no_grad():
        expected = network.image_guided_detection(pixel_values=pixels(owl, *pictures), query_pixel_values=pixels(owl, *queries))
    prompts = [Prompt("that", examples=(Example(query),)) for query in queries]
    for number, code in enumerate(owl.encode_images(pictures)):
        logits = owl.logits(code, prompts)
        torch.testing.assert_close(logits[:, number : number + 1], expected.logits[number], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(code.boxes, expected.target_pred_boxes[number], rtol=0, atol=1e-5)


def test_references_are_averaged_and_mixed_with_the_text_by_weight(folder: Path) -> None:
    owl = Owl(load("detector", str(folder)))
    code = owl.encode_image(tiny.picture())
    one, two = Example(tiny.picture(seed=1)), Example(tiny.picture(seed=2))
    alone = owl.logits(code, [Prompt("a", examples=(one,)), Prompt("b", examples=(two,)), "cup"])
    both = owl.logits(code, [Prompt("c", examples=(one, two)), Prompt("cup", examples=(one, two), text_weight=0.25)])
    torch.testing.assert_close(both[:, 0], alone[:, :2].mean(dim=1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(both[:, 1], 0.25 * alone[:, 2] + 0.75 * both[:, 0], rtol=1e-4, atol=1e-4)


def test_a_box_picks_the_token_that_fits_it() -> None:
    boxes = np.array([[0, 0, 1, 1], [0.1, 0.1, 0.3, 0.3], [0.1, 0.1, 0.32, 0.3], [0.6, 0.6, 0.9, 0.9]], np.float32)
    embeddings = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], np.float32)
    thing = np.array([0.1, 0.1, 0.31, 0.3], np.float32)
    assert choose_token(boxes, thing, embeddings, None) == 2   # of 1 and 2, which both fit, the one that differs from the rest
    assert choose_token(boxes, thing, embeddings, np.array([9, 3, 2, 8], np.float32)) == 1
    assert choose_token(boxes, None, embeddings, np.array([1, 3, 2, 8], np.float32)) == 3
    assert choose_token(boxes, None, embeddings, None) == 0
    with pytest.raises(PromptError, match="draw the box around the thing"):
        choose_token(boxes[1:], np.array([0.4, 0.0, 0.5, 0.05], np.float32), embeddings[1:], None)


def test_a_picture_alone_needs_no_words(folder: Path) -> None:
    detector = Detector(Owl(load("detector", str(folder))), threshold=0.0)
    name = "a name that is much longer than the model could read as a text"
    assert detector(tiny.picture(), [Prompt(name, examples=(Example(tiny.picture(seed=1)),))]).prompts == (name,)
    assert detector.owl.encode_prompts.texts.encoded == 0
    with pytest.raises(PromptError, match="at most 16 tokens"):
        detector(tiny.picture(), [Prompt(name, examples=(Example(tiny.picture(seed=1)),), text_weight=0.5)])


def test_an_example_is_encoded_once(folder: Path) -> None:
    owl = Owl(load("detector", str(folder)))
    one, two = Example(tiny.picture(seed=1)), Example(tiny.picture(seed=2))
    passes: list[Sequence[Example]] = []

    def pictures(examples: Sequence[Example]) -> torch.Tensor:
        passes.append(examples)
        return torch.zeros(len(examples), 32)

    encode = PromptEncoder(owl.encode_prompts.texts, pictures)
    sets: list[list[str | Prompt]] = [[Prompt("a", examples=(one,))], ["cup", Prompt("b", examples=(one, two))]]
    for prompts in (sets[0], sets[0], sets[1], sets[1], sets[0]):
        encode(prompts)
    assert passes == [[one], [two]]


def test_clipseg_conditions_equal_hugging_face(clipseg_folder: Path) -> None:
    network = transformers.CLIPSegForImageSegmentation.from_pretrained(clipseg_folder)
    clipseg, rgb = ClipSeg(load("segmenter", str(clipseg_folder))), tiny.picture()
    queries = [tiny.picture(64, 64, seed=10 + seed) for seed in range(2)]
    text = tiny.tokenizer()(["cup"], return_tensors="pt")
    both = pixels(clipseg, rgb, rgb)
    with torch.no_grad():
        seen = network(pixel_values=both, conditional_pixel_values=pixels(clipseg, *queries))
        words = network(pixel_values=both[:1], **text).conditional_embeddings
        mixed = network(pixel_values=both[:1], conditional_embeddings=0.3 * words + 0.7 * seen.conditional_embeddings.mean(dim=0)).logits
    examples = tuple(Example(query) for query in queries)
    prompts = [*(Prompt("that", examples=(example,)) for example in examples), Prompt("cup", examples=examples, text_weight=0.3)]
    logits = clipseg.logits(clipseg.encode_image(rgb), prompts)
    torch.testing.assert_close(logits[:2], seen.logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits[2], mixed.reshape(logits[2].shape), rtol=1e-4, atol=1e-5)


def test_a_visual_prompt_is_cropped_and_its_background_is_dark_and_blurred() -> None:
    rgb = np.zeros((100, 200, 3), np.uint8)
    rgb[:, ::2] = 200                       # stripes, which a blur makes even
    rgb[40:60, 50:90] = [255, 0, 0]
    whole = Example(rgb)
    assert engineer(whole) is rgb
    mask = np.zeros((100, 200), np.uint8)
    mask[40:60, 50:90] = 7
    for example in (Example(rgb, np.array([50, 40, 90, 60], np.float32)), Example(rgb, mask=mask)):
        box = outline(example)
        assert box is not None
        assert box.tolist() == [50, 40, 90, 60]
        shown = engineer(example)
        assert shown.shape == (48, 48, 3)   # 40 and a tenth of it on either side, padded to a square
        assert (shown[14:34, 4:44] == [255, 0, 0]).all()
        background = np.concatenate([shown[12:14, 8:40], shown[34:36, 8:40]]).astype(int)
        assert 8 <= background.max() <= 26
        assert not shown[:12].any()
        assert not shown[36:].any()
    at_the_corner = engineer(Example(rgb, np.array([180, 0, 200, 30], np.float32)))
    assert at_the_corner.shape == (33, 33, 3)


def test_bad_examples_and_templates_are_refused() -> None:
    rgb = tiny.picture()
    for box in ([0, 0, 129, 9], [9, 9, 9, 20], [-1, 0, 5, 5], [0, 0, float("nan"), 5]):
        with pytest.raises(MessageError, match="expected a box inside the 96 x 128 picture"):
            Example(rgb, np.array(box, np.float32))
    with pytest.raises(MessageError, match=r"Example\.mask: expected \(96, 128\) uint8"):
        Example(rgb, mask=np.ones((4, 4), np.uint8))
    with pytest.raises(MessageError, match="some pixels of the thing"):
        Example(rgb, mask=np.zeros((96, 128), np.uint8))
    with pytest.raises(MessageError, match="1 to 16777216 pixels, got 0 x 5"):
        Example(np.zeros((0, 5, 3), np.uint8))
    with pytest.raises(MessageError, match="where the text belongs, got 'a photo of a cup'"):
        Prompt("cup", ("a photo of a cup",))
    with pytest.raises(MessageError, match="at most 64 templates"):
        Prompt("cup", ("{}",) * 65)
    with pytest.raises(MessageError, match=r"text_weight: expected a number in \[0, 1\], got 2"):
        Prompt("cup", text_weight=2.0)


def test_the_embedded_detector_finds_a_block_by_a_picture_of_it() -> None:
    detector = Detector.from_pretrained()
    rgb = read_picture(Path(__file__).parents[2] / "examples" / "tabletop.png")
    width = rgb.shape[1]
    block = detector(rgb, ["a red block"]).boxes[0]
    mirrored = np.ascontiguousarray(rgb[:, ::-1])
    found = detector(mirrored, [Prompt("that", examples=(Example(rgb, block),))])
    assert iou(found.boxes[:1], np.array([[width - block[2], block[1], width - block[0], block[3]]]))[0, 0] > 0.5
    absent = Detector(detector.owl, threshold=0.0)(np.zeros_like(rgb), [Prompt("that", examples=(Example(rgb, block),))])
    assert absent.scores.max() < found.scores[0] < 1   # not relative to the best box of the picture
    tree = detector(rgb, ["[a block (a red object, a blue object, a green object)]"])
    kind = next(row for row in range(len(tree.boxes)) if tree.parents[row] >= 0 and iou(tree.boxes[row : row + 1], block[None])[0, 0] > 0.5)
    assert tree.prompts[tree.prompt_indices[kind]] == "a red object"
