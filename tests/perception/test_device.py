"""What becomes of a batch that does not fit, and of a GPU that fails. No GPU is needed: the errors are those that torch raises."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import pytest
import torch

from seesay.errors import DeviceError, ModelError
from seesay.perception.device import Batches, clear_failures, pick_device


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
