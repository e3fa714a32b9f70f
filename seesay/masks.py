"""Bit-exact run-length coding of binary masks: runs in row-major order, zeros first, all masks one after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seesay.errors import MessageError
from seesay.messages import MAX_PIXELS, MAX_SIDE, check_array


def encode(masks: NDArray[np.bool_]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Code `(M, H, W) bool` as `counts (K,) uint32` and `starts (M + 1,) uint32`, mask m being `counts[starts[m]:starts[m + 1]]`."""
    check_array("masks", masks, "bool", (None, None, None))
    _check_size(*masks.shape)
    runs = [encode_one(mask) for mask in masks]
    starts = np.zeros(len(runs) + 1, np.uint32)
    starts[1:] = np.cumsum([len(counts) for counts in runs], dtype=np.uint32)
    return (np.concatenate(runs) if runs else np.zeros(0, np.uint32)), starts


def encode_one(mask: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Code one `(H, W) bool` mask as `(K,) uint32` run lengths, zeros first."""
    check_array("mask", mask, "bool", (None, None))
    flat = mask.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate([[0, 0] if flat.size and flat[0] else [0], edges, [flat.size]])
    return np.diff(bounds).astype(np.uint32)


def decode(counts: NDArray[np.uint32], starts: NDArray[np.uint32], height: int, width: int) -> NDArray[np.bool_]:
    """Return the `(M, H, W) bool` masks, of at most as many pixels in all as a picture may have.

    Raises MessageError, before anything is allocated, for more, and unless every mask has H * W pixels.
    """
    check_array("counts", counts, "uint32", (None,))
    check_array("starts", starts, "uint32", (None,))
    if len(starts) == 0 or starts[0] != 0 or starts[-1] != len(counts) or (np.diff(starts.astype(np.int64)) < 0).any():
        raise MessageError(f"starts: expected rising indices from 0 to {len(counts)}, got {starts[:8].tolist()}")
    _check_size(len(starts) - 1, height, width)
    sums = np.concatenate([[0], np.cumsum(counts, dtype=np.uint64)])[starts]
    wrong = np.flatnonzero(np.diff(sums.astype(np.int64)) != height * width)
    if len(wrong):
        raise MessageError(f"counts: expected runs of {height * width} pixels in mask {wrong[0]}, got another sum")
    masks = np.zeros((len(starts) - 1, height * width), np.bool_)
    for mask, begin, end in zip(masks, starts[:-1], starts[1:], strict=True):
        runs = counts[begin:end]
        mask[:] = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return masks.reshape(len(masks), height, width)


def decode_one(counts: NDArray[np.uint32], height: int, width: int) -> NDArray[np.bool_]:
    """Return the `(H, W) bool` mask of `(K,) uint32` run lengths; errors as in `decode`."""
    mask: NDArray[np.bool_] = decode(counts, np.array([0, len(counts)], np.uint32), height, width)[0]
    return mask


def _check_size(count: int, height: int, width: int) -> None:
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE and max(1, count) * height * width <= MAX_PIXELS):
        raise MessageError(
            f"masks: expected sides of 1 to {MAX_SIDE} and at most {MAX_PIXELS} pixels in all, got {count} masks of {height} x {width}"
        )
