"""A network compiled for a few sizes of batch, so that neither prompts nor the number of cameras ever compile it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seesay.perception.device import Batches, clear_failures

if TYPE_CHECKING:
    import torch

Network = Callable[["torch.Tensor"], tuple["torch.Tensor", ...]]


class Encoder(Protocol):
    """A network that encodes pictures, as many in one pass as its `batches` say."""

    batches: Batches

    def encode_images(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Any]: ...


def bucket(count: int) -> int:
    """The size of the batch that `count` pictures are padded to: the next power of two."""
    return 1 << (count - 1).bit_length()


def warm_up(network: Encoder, batch: int) -> Batches:
    """Encode black pictures in batches of every size that up to `batch` pictures are padded to, so that no real one waits for compiling
    or for memory. Return the network's batches: of that size, or of the largest that fits. Raises DeviceError."""
    network.batches.most = batch
    with clear_failures():
        for size in sorted({min(bucket(count), batch) for count in range(1, batch + 1)}):
            if size <= network.batches.most:
                network.encode_images([np.zeros((480, 640, 3), np.uint8)] * size)
    return network.batches


def compiled(network: Network) -> Network:
    """`network` from `(B, ...)` to tensors of B rows, compiled once for each size of `bucket`; on a GPU it is replayed as a CUDA graph."""
    import torch

    run = torch.compile(network, fullgraph=True, dynamic=False, mode="reduce-overhead" if torch.cuda.is_available() else None)

    def padded(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        count = len(pixels)
        blank = pixels.new_zeros(bucket(count) - count, *pixels.shape[1:])
        found = run(torch.cat([pixels, blank]) if len(blank) else pixels)
        return tuple(part[:count].clone() for part in found)   # the next replay of the graph writes over its results

    return padded
