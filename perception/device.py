"""The device that a network runs on: which one, and what its failures mean."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from seesay.errors import DeviceError, ModelError

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
R = TypeVar("R")

Dtype = Literal["float32", "bfloat16", "float16"]
AT_ONCE = 8
"""Pictures, crops or examples of one pass at most, where no node says how many."""
_FAILURES = ("CUDA", "CUBLAS", "cuDNN", "HIP error", "MPS")

_NO_ROOM = "expected memory for one picture, got none ({}); use a smaller model or another device"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Placement:
    """Where and how a network computes: a torch `device` that is there, the `dtype` of its image tower (all around it is float32),
    and whether the pass over pictures is `compiled`."""

    device: str = "cpu"
    dtype: Dtype = "float32"
    compiled: bool = False

    @property
    def torch_dtype(self) -> torch.dtype:
        import torch

        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype


CPU = Placement()


def pick_device(device: str) -> str:
    """A torch device name; `"auto"` is cuda where there is one. Raises ModelError if there is no such device."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ModelError(f"expected a device that is here, got {device!r} without CUDA; use device='cpu'")
    return device


class Batches:
    """Runs an engine over at most `most` items at once; a batch that does not fit into memory is halved, for good, and the log says so.

    Raises DeviceError if even one item does not fit.
    """

    def __init__(self, most: int = AT_ONCE) -> None:
        self.most = most

    def run(self, work: Callable[[Sequence[T]], list[R]], items: Sequence[T]) -> list[R]:
        """The results of `work` for all items, in their order."""
        done: list[R] = []
        while len(done) < len(items):
            part = items[len(done) : len(done) + self.most]
            try:
                done += work(part)
                continue
            except (MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                said = _first_line(error)
            if len(part) == 1:
                raise DeviceError(_NO_ROOM.format(said))
            self.most = len(part) // 2
            log.warning("a batch of %d pictures does not fit into memory (%s); from now on at most %d at once", len(part), said, self.most)
            _release()
        return done


@contextmanager
def clear_failures() -> Iterator[None]:
    """Turn what torch raises when a GPU fails or is gone, or memory does not suffice, into a DeviceError of one sentence."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if _is_out_of_memory(error):
            raise DeviceError(_NO_ROOM.format(_first_line(error))) from error
        if not any(word in str(error) for word in _FAILURES):
            raise
        raise DeviceError(f"the GPU failed or is gone ({_first_line(error)}); start the node again, and look at nvidia-smi") from error


def _is_out_of_memory(error: Exception) -> bool:
    """Of a GPU, of numpy, or of torch on a CPU, whose error has no type of its own."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def _release() -> None:
    """Give back what torch keeps of a GPU's memory for later."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
