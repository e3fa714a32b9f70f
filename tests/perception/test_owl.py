"""The separable OWL-ViT and OWLv2 against Hugging Face's own forward pass and post-processing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from seesay.errors import MessageError, ModelError, PromptError
from seesay.messages import Header, Image, PromptSet, Source
from seesay.perception.detector import Detector
from seesay.perception.embedded import load
from seesay.perception.owlvit import Owl
from tests.perception import tiny

PROMPTS = ("a red block", "bowl", "the cup")


@pytest.fixture(scope="module", params=["owlvit", "owlv2"])
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_owl(tmp_path_factory.mktemp(family), family, seesay={"threshold": 0.3})


def hugging_face(folder: Path, family: str, rgb: np.ndarray) -> tuple[Any, Any]:
    v2 = family == "owlv2"
    processor_class = (
        transformers.models.owlv2.image_processing_pil_owlv2.Owlv2ImageProcessorPil
        if v2
        else transformers.models.owlvit.image_processing_pil_owlvit.OwlViTImageProcessorPil
    )
    network_class = transformers.Owlv2ForObjectDetection if v2 else transformers.OwlViTForObjectDetection
    processor = processor_class.from_pretrained(folder)
    text = tiny.tokenizer()(list(PROMPTS), padding="max_length", max_length=16, return_tensors="pt")
    pixels = processor(rgb, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        return network_class.from_pretrained(folder)(**text, pixel_values=pixels), processor


@pytest.mark.parametrize("size", [(96, 128), (128, 96), (64, 64), (40, 56), (200, 304)])
def test_equals_hugging_face(folder: Path, family: str, size: tuple[int, int]) -> None:
    rgb = tiny.picture(*size)
    expected, _ = hugging_face(folder, family, rgb)
    owl = Owl(load("detector", str(folder)))
    code = owl.encode_image(rgb)
    torch.testing.assert_close(owl.logits(code, PROMPTS), expected.logits[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(code.boxes, expected.pred_boxes[0], rtol=0, atol=1e-5)
    if family == "owlv2":
        assert code.objectness is not None
        torch.testing.assert_close(code.objectness, expected.objectness_logits[0], rtol=1e-4, atol=1e-4)


def test_boxes_are_those_of_hugging_face_clipped(folder: Path, family: str) -> None:
    rgb = tiny.picture(96, 128)
    expected, processor = hugging_face(folder, family, rgb)
    reference = processor.post_process_object_detection(expected, threshold=0.0, target_sizes=[rgb.shape[:2]])[0]
    detections = Detector(Owl(load("detector", str(folder))), threshold=0.0, overlap=1.0)(rgb, PROMPTS)
    best = int(reference["scores"].argmax())
    clipped = np.clip(reference["boxes"][best].numpy(), 0, [128, 96, 128, 96])
    np.testing.assert_allclose(detections.boxes[0], clipped, atol=1e-2)
    assert detections.scores[0] == pytest.approx(float(reference["scores"][best]), rel=1e-4)
    assert detections.prompt_indices[0] == int(reference["labels"][best])
    assert detections.boxes.min() >= 0
    assert (detections.boxes[:, 2] <= 128).all()
    assert (detections.boxes[:, 3] <= 96).all()


def test_a_box_may_answer_several_prompts_and_each_prompt_is_encoded_once(folder: Path) -> None:
    detector = Detector(Owl(load("detector", str(folder))), threshold=0.0, overlap=1.0)
    first = detector(tiny.picture(), ["a red block", "a red block", "bowl"])
    assert detector.owl.encode_prompts.texts.encoded == 2
    assert np.array_equal(np.sort(first.scores[first.prompt_indices == 0]), np.sort(first.scores[first.prompt_indices == 1]))
    detector(tiny.picture(), ["bowl", "a red block"])
    assert detector.owl.encode_prompts.texts.encoded == 2


def test_scores_of_a_prompt_do_not_depend_on_its_company(folder: Path) -> None:
    owl = Owl(load("detector", str(folder)))
    code = owl.encode_image(tiny.picture())
    alone = owl.logits(code, ["the cup"])[:, 0]
    fresh = Owl(load("detector", str(folder)))
    torch.testing.assert_close(fresh.logits(code, PROMPTS)[:, 2], alone, rtol=1e-4, atol=1e-4)


def test_message_carries_the_picture_and_the_prompts(folder: Path) -> None:
    detector = Detector.from_pretrained(str(folder))
    assert detector.threshold == 0.3
    header = Header(123, 4, "front_optical", "sim", Source("front", 4, 123))
    bgr = np.ascontiguousarray(tiny.picture()[..., ::-1])
    found = detector.detect(Image(header, "bgr8", bgr), PromptSet(Header(0), 7, PROMPTS))
    assert found.header is header
    assert (found.prompt_version, found.prompts, found.model, found.height, found.width) == (7, PROMPTS, str(folder), 96, 128)
    again = detector(tiny.picture(), PROMPTS)
    np.testing.assert_array_equal(found.boxes, again.boxes)
    assert (np.diff(found.scores) <= 0).all()


def test_answers_for_a_list_of_pictures_come_from_the_device_in_one_copy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = Detector.from_pretrained(str(folder))
    pictures = [tiny.picture(seed=1), tiny.picture(64, 80, seed=2), tiny.picture(40, 40, seed=3)]
    alone = [detector(rgb, PROMPTS) for rgb in pictures]
    copies: list[torch.Size] = []
    cpu = torch.Tensor.cpu

    def counted(tensor: torch.Tensor) -> torch.Tensor:
        copies.append(tensor.shape)
        return cpu(tensor)

    monkeypatch.setattr(torch.Tensor, "cpu", counted)
    together = detector(pictures, PROMPTS)
    assert copies == [(3, 16, 4 + len(PROMPTS))]
    for one, other in zip(together, alone, strict=True):
        assert (one.height, one.width, len(one.boxes)) == (other.height, other.width, len(other.boxes))
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-4)
    assert detector([], PROMPTS) == []
    with pytest.raises(MessageError, match=r"got \(9, 9\) uint8"):
        detector([pictures[0], np.zeros((9, 9), np.uint8)], PROMPTS)


def test_no_prompts_find_nothing(folder: Path) -> None:
    assert Detector.from_pretrained(str(folder))(tiny.picture(), []).boxes.shape == (0, 4)


def test_bad_prompts_are_named(folder: Path) -> None:
    detector = Detector.from_pretrained(str(folder))
    with pytest.raises(PromptError, match=r"at most 16 tokens.*a rather long prompt about a thing"):
        detector(tiny.picture(), ["bowl", "a rather long prompt about a thing"])
    with pytest.raises(PromptError, match="empty one at place 2"):
        detector(tiny.picture(), ["bowl", "  "])
    with pytest.raises(PromptError, match=r"write \['bowl'\]"):
        detector(tiny.picture(), "bowl")


def test_depth_is_not_a_picture_to_look_at(folder: Path) -> None:
    depth = Image(Header(0), "32FC1", np.ones((4, 4), np.float32))
    with pytest.raises(MessageError, match="got encoding 32FC1"):
        Detector.from_pretrained(str(folder)).detect(depth, PromptSet(Header(0), 1, PROMPTS))


def test_a_tokenizer_that_does_not_end_with_the_largest_id_is_refused(folder: Path, tmp_path: Path) -> None:
    """The text tower pools at the largest id, so that a word that has it would stand for the whole prompt."""
    shutil.copytree(folder, tmp_path / "changed")
    tokenizer = tiny.tokenizer()
    tokenizer.add_tokens(["gizmo"])
    tokenizer.save_pretrained(tmp_path / "changed")
    with pytest.raises(ModelError, match=r"expected 516, the largest id, at the end of a text of .*, got the tokens \[514, .*, 515\]"):
        Detector.from_pretrained(str(tmp_path / "changed"))


def test_models_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="'nobody/no-such-model' is not in the local cache and cannot be fetched") as caught:
        Detector.from_pretrained("nobody/no-such-model")
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=r"without config\.json"):
        Detector.from_pretrained(str(tmp_path))
    with pytest.raises(ModelError, match="expected 'embedded', a folder or a Hugging Face id"):
        Detector.from_pretrained("/no/such/folder")
    with pytest.raises(ModelError, match="of the family 'clipseg'"):
        Detector.from_pretrained(str(tiny.save_clipseg(tmp_path / "other")))
    (tmp_path / "other" / "model.safetensors").write_bytes(b"broken")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    with pytest.raises(ModelError, match="cannot read the detector"):
        Detector.from_pretrained(str(tmp_path / "broken"))
