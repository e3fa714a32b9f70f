"""The separable CLIPSeg against Hugging Face's own forward pass."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from seesay import masks as coding
from seesay.errors import ModelError, PromptError
from seesay.messages import Header, Image, PromptSet
from seesay.perception.clipseg import ClipSeg
from seesay.perception.embedded import load
from seesay.perception.segmenter import Segmenter
from tests.perception import tiny

PROMPTS = ("a red block", "bowl", "the cup")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_clipseg(tmp_path_factory.mktemp("clipseg"), seesay={"mask_threshold": 0.4})


@pytest.mark.parametrize("end", [tiny.EOS, 2])
def test_equals_hugging_face(folder: Path, tmp_path: Path, end: int) -> None:
    """With the tokenizer's end token, and with that of the published checkpoints, 2."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    model = json.loads((folder / "config.json").read_text())
    model["text_config"]["eos_token_id"] = end
    (tmp_path / "config.json").write_text(json.dumps(model))
    rgb = tiny.picture()
    processor = transformers.models.vit.image_processing_pil_vit.ViTImageProcessorPil.from_pretrained(tmp_path)
    text = tiny.tokenizer()(list(PROMPTS), padding=True, return_tensors="pt")
    pixels = processor([rgb] * len(PROMPTS), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        expected = transformers.CLIPSegForImageSegmentation.from_pretrained(tmp_path)(**text, pixel_values=pixels).logits
    clipseg = ClipSeg(load("segmenter", str(tmp_path)))
    logits = clipseg.logits(clipseg.encode_image(rgb), PROMPTS)
    assert logits.shape == (3, 64, 64)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)


def test_masks_have_the_size_of_the_picture_and_the_shipped_threshold(folder: Path) -> None:
    segmenter = Segmenter.from_pretrained(str(folder))
    assert segmenter.threshold == 0.4
    rgb = tiny.picture(96, 128)
    masks = segmenter.segment(Image(Header(5), "rgb8", rgb), PromptSet(Header(0), 3, PROMPTS))
    probabilities = segmenter.probabilities(rgb, PROMPTS)
    assert probabilities.shape == (3, 96, 128)
    np.testing.assert_array_equal(coding.decode(masks.counts, masks.starts, 96, 128), probabilities > 0.4)
    np.testing.assert_allclose(masks.scores, probabilities.reshape(3, -1).max(axis=1))
    assert (masks.header.stamp_ns, masks.prompt_version, masks.prompts) == (5, 3, PROMPTS)


def test_a_list_of_pictures_gives_a_list_of_masks(folder: Path) -> None:
    segmenter = Segmenter.from_pretrained(str(folder))
    pictures = [tiny.picture(seed=1), tiny.picture(64, 80, seed=2)]
    for together, rgb in zip(segmenter(pictures, PROMPTS), pictures, strict=True):
        assert (together.height, together.width) == rgb.shape[:2]
        np.testing.assert_allclose(together.scores, segmenter(rgb, PROMPTS).scores, rtol=1e-4)
    assert segmenter([], PROMPTS) == []


def test_no_prompts_give_no_masks(folder: Path) -> None:
    masks = Segmenter.from_pretrained(str(folder))(tiny.picture(), [])
    assert masks.prompts == ()
    assert masks.starts.tolist() == [0]


def test_bad_prompts_are_named(folder: Path) -> None:
    with pytest.raises(PromptError, match="a rather long prompt about a thing"):
        Segmenter.from_pretrained(str(folder))(tiny.picture(), ["a rather long prompt about a thing"])


def test_an_end_token_that_the_tokenizer_never_writes_is_refused(tmp_path: Path) -> None:
    folder = tiny.save_clipseg(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["eos_token_id"] = 77
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="expected the end token 77"):
        Segmenter.from_pretrained(str(folder))
