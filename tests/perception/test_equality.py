"""The separable networks and their preprocessing against Hugging Face's: counts of prompts, batches, odd sizes, kinds of checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil
from transformers.models.owlvit.image_processing_pil_owlvit import OwlViTImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from seesay import masks as coding
from seesay.messages import Header, PromptSet
from seesay.perception.clipseg import ClipSeg
from seesay.perception.detector import Detector
from seesay.perception.embedded import load
from seesay.perception.owlvit import Owl
from seesay.perception.pictures import from_array
from seesay.perception.pixels import DevicePixels
from seesay.perception.preprocess import Preprocess
from seesay.perception.segmenter import Segmenter
from tests.perception import tiny

PROCESSORS: dict[str, Any] = {"owlvit": OwlViTImageProcessorPil, "owlv2": Owlv2ImageProcessorPil, "clipseg": ViTImageProcessorPil}
NETWORKS: dict[str, Any] = {
    "owlvit": transformers.OwlViTForObjectDetection,
    "owlv2": transformers.Owlv2ForObjectDetection,
    "clipseg": transformers.CLIPSegForImageSegmentation,
}
COUNTS = [1, 2, 3, 17]
PROMPTS = tuple(f"{'a red ' * (n % 2)}thing {n}"[:14] for n in range(17))
MIXED = (tiny.picture(96, 128, seed=1), np.ascontiguousarray(tiny.picture(208, 304, seed=2)[:201, :303]), tiny.picture(128, 40, seed=3))


def looked_at_from(folder: Path, side: int, copy: Path) -> Path:
    """The checkpoint, whose pictures become `side` pixels large."""
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    config = json.loads((copy / "preprocessor_config.json").read_text()) | {"size": {"height": side, "width": side}}
    (copy / "preprocessor_config.json").write_text(json.dumps(config))
    return copy


def hugging_face(folder: Path, family: str, pictures: tuple[NDArray[np.uint8], ...], prompts: tuple[str, ...], **options: bool) -> Any:
    """The forward pass for every pair of picture and prompt. OWL takes all prompts of a picture together, CLIPSeg a picture for each."""
    processor, segments = PROCESSORS[family].from_pretrained(folder), family == "clipseg"
    pixels = torch.cat([processor(rgb, return_tensors="pt")["pixel_values"] for rgb in pictures])
    padding: Any = {"padding": True} if segments else {"padding": "max_length", "max_length": 16}
    text = tiny.tokenizer()(list(prompts) * len(pictures), return_tensors="pt", **padding)
    with torch.no_grad():
        repeated = pixels.repeat_interleave(len(prompts), dim=0) if segments else pixels
        return NETWORKS[family].from_pretrained(folder)(**text, pixel_values=repeated, **options)


@pytest.fixture(scope="module", params=["owlvit", "owlv2"])
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_owl(tmp_path_factory.mktemp(family), family)


@pytest.fixture(scope="module")
def clipseg_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_clipseg(tmp_path_factory.mktemp("clipseg"))


def assert_owl_equals(owl: Owl, expected: Any, pictures: tuple[NDArray[np.uint8], ...], prompts: tuple[str, ...]) -> None:
    largest = float(expected.logits.abs().max())
    for number, code in enumerate(owl.encode_images(pictures)):
        torch.testing.assert_close(owl.logits(code, prompts), expected.logits[number], rtol=0, atol=1e-4 * largest)
        torch.testing.assert_close(code.boxes, expected.pred_boxes[number], rtol=0, atol=1e-5)
        if code.objectness is not None:
            torch.testing.assert_close(code.objectness, expected.objectness_logits[number], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", COUNTS)
def test_owl_for_every_count_of_prompts_and_a_batch_of_mixed_sizes(folder: Path, family: str, count: int) -> None:
    owl, prompts = Owl(load("detector", str(folder))), PROMPTS[:count]
    assert_owl_equals(owl, hugging_face(folder, family, MIXED, prompts), MIXED, prompts)


def test_owl_at_a_size_that_it_was_not_trained_at(folder: Path, family: str, tmp_path: Path) -> None:
    """Positions are resampled, and boxes start from another grid."""
    copy = looked_at_from(folder, 96, tmp_path)
    expected = hugging_face(copy, family, MIXED, PROMPTS[:2], interpolate_pos_encoding=True)
    assert expected.pred_boxes.shape == (3, 36, 4)
    assert_owl_equals(Owl(load("detector", str(copy))), expected, MIXED, PROMPTS[:2])


def test_a_detector_scales_the_boxes_of_each_picture_of_a_batch_by_its_own_size(folder: Path, family: str) -> None:
    processor, prompts = PROCESSORS[family].from_pretrained(folder), PROMPTS[:3]
    outputs = hugging_face(folder, family, MIXED, prompts)
    expected = processor.post_process_object_detection(outputs, threshold=0.0, target_sizes=[rgb.shape[:2] for rgb in MIXED])
    images, detector = [from_array(rgb) for rgb in MIXED], Detector(Owl(load("detector", str(folder))), threshold=0.0, overlap=1.0)
    for rgb, found, wanted in zip(MIXED, detector.detect_all(images, PromptSet(Header(0), 1, prompts)), expected, strict=True):
        height, width = rgb.shape[:2]
        boxes = np.clip(wanted["boxes"].numpy(), 0, [width, height, width, height])
        inside = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(axis=1)   # others lie in the padding
        best = int(np.where(inside, wanted["scores"].numpy(), 0).argmax())
        np.testing.assert_allclose(found.boxes[0], boxes[best], atol=2e-2)
        assert found.scores[0] == pytest.approx(float(wanted["scores"][best]), rel=1e-4)
        assert (found.prompt_indices[0], found.height, found.width) == (int(wanted["labels"][best]), height, width)


def assert_clipseg_equals(clipseg: ClipSeg, expected: Any, pictures: tuple[NDArray[np.uint8], ...], prompts: tuple[str, ...]) -> None:
    theirs = expected.logits.reshape(len(pictures), len(prompts), *expected.logits.shape[-2:])
    for number, code in enumerate(clipseg.encode_images(pictures)):
        torch.testing.assert_close(clipseg.logits(code, prompts), theirs[number], rtol=0, atol=1e-4 * float(theirs.abs().max()))


@pytest.mark.parametrize("count", COUNTS)
def test_clipseg_for_every_count_of_prompts_and_a_batch_of_mixed_sizes(clipseg_folder: Path, count: int) -> None:
    clipseg, prompts = ClipSeg(load("segmenter", str(clipseg_folder))), PROMPTS[:count]
    assert_clipseg_equals(clipseg, hugging_face(clipseg_folder, "clipseg", MIXED, prompts), MIXED, prompts)


def test_clipseg_at_a_size_that_it_was_not_trained_at(clipseg_folder: Path, tmp_path: Path) -> None:
    copy = looked_at_from(clipseg_folder, 96, tmp_path)
    expected = hugging_face(copy, "clipseg", MIXED, PROMPTS[:2])
    assert expected.logits.shape == (6, 96, 96)
    assert_clipseg_equals(ClipSeg(load("segmenter", str(copy))), expected, MIXED, PROMPTS[:2])


@pytest.mark.parametrize(("patch", "complex_upsampling"), [(16, False), (32, True), (32, False), (8, True), (8, False)])
def test_clipseg_of_every_patch_and_upsampling(tmp_path: Path, patch: int, complex_upsampling: bool) -> None:
    tiny.save_clipseg(tmp_path, patch=patch, complex_upsampling=complex_upsampling)
    expected = hugging_face(tmp_path, "clipseg", MIXED[:2], PROMPTS[:2])
    assert_clipseg_equals(ClipSeg(load("segmenter", str(tmp_path))), expected, MIXED[:2], PROMPTS[:2])


def test_a_segmenter_brings_the_masks_of_each_picture_of_a_batch_to_its_own_size(clipseg_folder: Path) -> None:
    images, segmenter = [from_array(rgb) for rgb in MIXED], Segmenter(ClipSeg(load("segmenter", str(clipseg_folder))))
    logits = hugging_face(clipseg_folder, "clipseg", MIXED, PROMPTS[:3]).logits.reshape(3, 3, 64, 64)
    for rgb, found, theirs in zip(MIXED, segmenter.segment_all(images, PromptSet(Header(0), 1, PROMPTS[:3])), logits, strict=True):
        full = torch.nn.functional.interpolate(theirs[None], size=rgb.shape[:2], mode="bilinear", align_corners=False)[0].numpy()
        drawn = coding.decode(found.counts, found.starts, *rgb.shape[:2])
        assert (drawn == (full > 0))[np.abs(full) > 1e-4 * np.abs(full).max()].all()
        assert 0 < drawn.mean() < 1


@pytest.mark.parametrize("size", [(64, 64), (96, 128), (128, 96), (201, 303), (40, 57), (31, 303), (303, 31), (303, 97), (480, 640)])
@pytest.mark.parametrize("kind", PROCESSORS)
def test_pixels_are_those_of_the_processor(kind: str, size: tuple[int, int]) -> None:
    """Both of the CPU's way and of the device's, to 1/255 of the range of values, for the sharpest picture there is."""
    config = {"size": {"height": 64, "width": 64}, "resample": 3 if kind == "owlvit" else 2}
    clip = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = PROCESSORS[kind](**config, **clip)(rgb, return_tensors="np")["pixel_values"][0]
    preprocess = Preprocess.from_config(kind, config | clip)
    scale = np.array(preprocess.std, np.float32)[:, None, None]
    for pixels in (preprocess(rgb), DevicePixels(preprocess, "cpu")([rgb])[0].numpy()):
        assert pixels.shape == expected.shape
        assert np.abs((pixels - expected) * scale).max() <= 1 / 255 + 1e-6
