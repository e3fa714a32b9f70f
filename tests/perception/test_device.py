"""What becomes of batches that do not fit, and of a GPU that fails. No GPU is needed: the errors are those that torch raises."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seesay.errors import DeviceError, ModelError
from seesay.messages import Example, Prompt
from seesay.perception.clipseg import ClipSeg
from seesay.perception.detector import Detector
from seesay.perception.device import Batches, clear_failures, pick_device
from seesay.perception.owlvit import Owl
from seesay.perception.segmenter import Segmenter
from tests.perception import tiny


def limited(room: int, error: Exception, sizes: list[int]) -> Callable[[Sequence[int]], list[int]]:
    """An engine that doubles numbers, at most `room` at once."""

    def engine(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        if len(items) > room:
            raise error
        return [2 * item for item in items]

    return engine


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nGPU 0 has ..."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] data. DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ],
)
def test_a_batch_that_does_not_fit_is_halved_for_good_and_said_once(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    sizes: list[int] = []
    batches = Batches(8)
    engine = limited(2, error, sizes)
    assert batches.run(engine, range(8)) == list(range(0, 16, 2))
    assert sizes == [8, 4, 2, 2, 2, 2]
    assert batches.run(engine, range(3)) == [0, 2, 4]
    assert sizes[6:] == [2, 1]
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert ["at most 4" in said[0], "at most 2" in said[1], len(said)] == [True, True, 2]


def little_room(network: Owl | ClipSeg, room: int) -> list[int]:
    """From now on `network` has memory for so many pictures at once; the sizes of its passes."""
    pixels, sizes = network._pixels, list[int]()

    def limited_pixels(pictures: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
        if len(pictures) > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
        sizes.append(len(pictures))
        return pixels(pictures)

    network._pixels = limited_pixels
    return sizes


def test_one_picture_with_more_crops_than_memory_holds_is_looked_at_in_parts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    detector = Detector.from_pretrained(str(tiny.save_owl(tmp_path)), 0.0)
    examples = tuple(Example(tiny.picture(seed=seed)) for seed in range(5))
    prompts: list[str | Prompt] = ["[a table [a cup] (red, blue)]", Prompt("that", examples=examples)]
    wanted = detector(tiny.picture(), prompts)
    fresh = Detector.from_pretrained(str(tmp_path), 0.0)
    sizes = little_room(fresh.owl, 2)
    found = fresh(tiny.picture(), prompts)
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-4)
    np.testing.assert_array_equal(found.parents, wanted.parents)
    assert sizes == [2, 2, 1, 1, *[2] * 8]   # five examples, the picture, its 16 crops
    assert [record.getMessage()[-29:] for record in caplog.records] == ["from now on at most 2 at once"]


def test_examples_of_a_segmenter_are_looked_at_in_parts(tmp_path: Path) -> None:
    segmenter = Segmenter.from_pretrained(str(tiny.save_clipseg(tmp_path)))
    prompts = [Prompt("that", examples=tuple(Example(tiny.picture(seed=seed)) for seed in range(5)))]
    wanted = segmenter.probabilities(tiny.picture(), prompts)
    fresh = Segmenter.from_pretrained(str(tmp_path))
    little_room(fresh.clipseg, 2)
    np.testing.assert_allclose(fresh.probabilities(tiny.picture(), prompts), wanted, rtol=1e-4, atol=1e-5)


def test_what_warming_up_finds_to_fit_is_what_counts_from_then_on(tmp_path: Path) -> None:
    detector = Detector.from_pretrained(str(tiny.save_owl(tmp_path)))
    sizes = little_room(detector.owl, 3)
    batches = detector.warm_up(6)
    assert (batches.most, sizes) == (2, [1, 2, 2, 2])
    assert len(detector([tiny.picture()] * 5, ["a cup"])) == 5
    assert sizes[4:] == [2, 2, 1]
    assert Detector.from_pretrained(str(tmp_path)).warm_up(6).most == 6


def test_one_picture_that_does_not_fit_is_an_error_of_one_sentence() -> None:
    with pytest.raises(DeviceError, match=r"memory for one picture, got none \(CUDA out of memory\. Tried"):
        Batches(4).run(limited(0, torch.OutOfMemoryError("CUDA out of memory. Tried\nmore"), []), [1, 2])


def test_a_picture_alone_that_does_not_fit_is_not_taken_for_a_lost_gpu() -> None:
    with pytest.raises(DeviceError, match=r"memory for one picture, got none \(CUDA out of memory"), clear_failures():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried")


def test_other_errors_of_an_engine_are_its_own() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"), clear_failures():
        Batches(4).run(limited(0, RuntimeError("shapes differ"), []), [1])


@pytest.mark.parametrize("text", ["CUDA error: an illegal memory access was encountered\nCUDA ..", "CUBLAS_STATUS_EXECUTION_FAILED"])
def test_a_gpu_that_fails_is_said_in_one_sentence(text: str) -> None:
    with pytest.raises(DeviceError, match="the GPU failed or is gone") as caught, clear_failures():
        raise RuntimeError(text)
    assert "\n" not in str(caught.value)
    assert text.splitlines()[0] in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    assert pick_device("auto") == "cpu"
    with pytest.raises(ModelError, match="got 'cuda:1' without CUDA"):
        pick_device("cuda:1")
