"""What a GPU runs, run on the CPU: pixels made from the uint8 picture, half precision in the tower, compiling, static batches.

What only a GPU can show is skipped, with the reason, where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seesay.messages import Example, Prompt
from seesay.perception.clipseg import ClipSeg
from seesay.perception.detector import Detector
from seesay.perception.device import Placement
from seesay.perception.embedded import load
from seesay.perception.owlvit import Owl
from seesay.perception.pixels import DevicePixels
from seesay.perception.preprocess import Preprocess
from seesay.perception.segmenter import Segmenter
from seesay.perception.static import bucket
from tests.perception import tiny

SIZES = [(96, 128), (128, 96), (64, 64), (40, 56), (201, 304), (63, 127)]
PROMPTS = ["a red block", "bowl"]
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("family", ["owlvit", "owlv2", "clipseg", "owlvit in a letterbox"])
def test_pixels_of_the_device_are_those_of_the_cpu(family: str, size: tuple[int, int]) -> None:
    preprocess = Preprocess.from_config(family.split()[0], {"size": 64})
    if "letterbox" in family:
        preprocess = replace(preprocess, fit="letterbox")
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    made = DevicePixels(preprocess, "cpu")([rgb, tiny.picture(*size)])
    scale = np.array(preprocess.std, np.float32)[:, None, None]
    for picture, pixels in zip([rgb, tiny.picture(*size)], made, strict=True):
        assert np.abs((pixels.numpy() - preprocess(picture)) * scale).max() <= 1 / 255 + 1e-6


def test_pictures_of_several_sizes_and_read_only_ones_make_one_batch() -> None:
    still = tiny.picture(40, 56)
    still.setflags(write=False)
    made = DevicePixels(Preprocess.from_config("owlvit", {"size": 64}), "cpu")([still, tiny.picture()[:, ::-1]])
    assert made.shape == (2, 3, 64, 64)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_only_the_layers_of_the_tower_compute_in_half_precision(tmp_path: Path, dtype: torch.dtype) -> None:
    folder, name = str(tiny.save_owl(tmp_path)), str(dtype).removeprefix("torch.")
    full, half = Owl(load("detector", folder)), Owl(load("detector", folder), Placement(dtype=name))  # type: ignore[arg-type]
    code, exact = half.encode_image(tiny.picture()), full.encode_image(tiny.picture())
    logits = half.logits(code, PROMPTS), full.logits(exact, PROMPTS)
    for part, wanted in ((code.boxes, exact.boxes), (code.embeddings, exact.embeddings), logits):
        assert part.dtype == torch.float32
        torch.testing.assert_close(part, wanted, rtol=0.1, atol=0.05)
    assert not torch.equal(code.embeddings, exact.embeddings)
    assert {parameter.dtype for parameter in half._network.box_head.parameters()} == {torch.float32}
    assert {layer.mlp.fc1.weight.dtype for layer in half._backbone.vision_model.encoder.layers} == {dtype}


def test_a_segmenter_in_half_precision_gives_nearly_the_same_masks(tmp_path: Path) -> None:
    folder = str(tiny.save_clipseg(tmp_path))
    full, half = ClipSeg(load("segmenter", folder)), ClipSeg(load("segmenter", folder), Placement(dtype="bfloat16"))
    exact, rough = (model.logits(model.encode_image(tiny.picture()), PROMPTS) for model in (full, half))
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.1, atol=0.1 * float(exact.abs().max()))


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The graphs that were compiled. They run as they are: what matters here is when and how often."""
    seen: list[Any] = []

    def backend(graph: Any, inputs: object) -> Callable[..., Any]:
        seen.append(graph)
        return graph.forward  # type: ignore[no-any-return]

    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda network, mode, **options: compile_(network, backend=backend, **options))
    torch.compiler.reset()
    return seen


@pytest.mark.parametrize(("batch", "sizes"), [(1, 1), (4, 3)])   # batches of 1; of 1, 2 and 4
def test_a_detector_is_compiled_once_for_each_size_of_batch_and_never_for_prompts(
    tmp_path: Path, graphs: list[Any], batch: int, sizes: int
) -> None:
    folder = str(tiny.save_owl(tmp_path))
    detector, plain = Detector.from_pretrained(folder, 0.0, compiled=True), Detector.from_pretrained(folder, 0.0)
    detector.warm_up(batch)
    assert len(graphs) == sizes
    examples = tuple(Example(tiny.picture(seed=seed)) for seed in range(5))
    tree = "[a table [a cup] (red, blue)]"   # each of the 16 boxes of a picture becomes a crop
    sets: list[Sequence[str | Prompt]] = [PROMPTS, ["a cup"], ["one", "two", "three"], [tree], [Prompt("that", examples=examples)]]
    for prompts in sets:
        for size in SIZES[:2]:
            found, wanted = detector(tiny.picture(*size), prompts), plain(tiny.picture(*size), prompts)
            np.testing.assert_allclose(np.sort(found.scores), np.sort(wanted.scores), rtol=1e-4)
    assert len(detector(tiny.picture(), [tree]).parents) > 16
    three = [tiny.picture(seed=seed) for seed in range(3)]   # padded to 4, or one after another
    for code, exact in zip(detector.owl.encode_images(three), plain.owl.encode_images(three), strict=True):
        torch.testing.assert_close(code.embeddings, exact.embeddings)
    assert len(graphs) == sizes


def test_a_segmenter_is_compiled_once_and_never_for_prompts(tmp_path: Path, graphs: list[Any]) -> None:
    folder = str(tiny.save_clipseg(tmp_path))
    segmenter, plain = Segmenter.from_pretrained(folder, compiled=True), Segmenter.from_pretrained(folder)
    segmenter.warm_up()
    for prompts in (PROMPTS, ["a cup"]):
        np.testing.assert_array_equal(segmenter(tiny.picture(), prompts).counts, plain(tiny.picture(), prompts).counts)
    pictures = [tiny.picture(), tiny.picture(seed=1)]
    for answer, wanted in zip(segmenter(pictures, PROMPTS), plain(pictures, PROMPTS), strict=True):
        np.testing.assert_array_equal(answer.counts, wanted.counts)
    assert len(graphs) == 1


def test_batches_are_padded_to_powers_of_two() -> None:
    assert [bucket(count) for count in (1, 2, 3, 4, 5, 8, 9)] == [1, 2, 4, 4, 8, 8, 16]


@needs_gpu
@pytest.mark.parametrize("compiled", [False, True])
def test_a_gpu_gives_the_numbers_of_the_cpu(tmp_path: Path, compiled: bool) -> None:
    folder = str(tiny.save_owl(tmp_path))
    cpu, gpu = Owl(load("detector", folder)), Owl(load("detector", folder), Placement("cuda", compiled=compiled))
    for seed in range(3):
        exact, code = cpu.encode_image(tiny.picture(seed=seed)), gpu.encode_image(tiny.picture(seed=seed))
        torch.testing.assert_close(code.boxes.cpu(), exact.boxes, rtol=0, atol=1e-3)
        torch.testing.assert_close(gpu.logits(code, PROMPTS).cpu(), cpu.logits(exact, PROMPTS), rtol=1e-2, atol=1e-2)


@needs_gpu
@pytest.mark.parametrize("compiled", [False, True])
def test_a_gpu_gives_the_masks_of_the_cpu(tmp_path: Path, compiled: bool) -> None:
    folder = str(tiny.save_clipseg(tmp_path))
    cpu, gpu = ClipSeg(load("segmenter", folder)), ClipSeg(load("segmenter", folder), Placement("cuda", compiled=compiled))
    for seed in range(3):
        exact, got = (model.logits(model.encode_image(tiny.picture(seed=seed)), PROMPTS).cpu() for model in (cpu, gpu))
        torch.testing.assert_close(got, exact, rtol=1e-2, atol=1e-2 * float(exact.abs().max()))


@needs_gpu
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("family", ["owlvit", "owlv2", "clipseg"])
def test_pixels_made_on_a_gpu_are_those_of_the_cpu(family: str, size: tuple[int, int]) -> None:
    preprocess, rgb = Preprocess.from_config(family, {"size": 64}), tiny.picture(*size)
    pixels = DevicePixels(preprocess, "cuda")([rgb])[0].cpu().numpy()
    assert np.abs((pixels - preprocess(rgb)) * np.array(preprocess.std, np.float32)[:, None, None]).max() <= 1 / 255 + 1e-5
