"""The network's pixels of a batch of pictures: made on the CPU by Pillow and scipy, or on a GPU from the uint8 picture itself.

A picture goes to the GPU as it is, from pinned memory: a byte a value instead of four, and nothing of it is touched before. There the same
resampling is done: Pillow's, which rounds and clamps after each of its two passes, or OWLv2's, whose blur and sampling are one linear
map for the rows and one for the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seesay.errors import ModelError
from seesay.perception.preprocess import Preprocess

if TYPE_CHECKING:
    import torch

_MODES = {2: "bilinear", 3: "bicubic"}

Pixels = Callable[[Sequence[NDArray[np.uint8]]], "torch.Tensor"]
"""Pictures `(H, W, 3) uint8` RGB of any sizes -> `(B, 3, height, width) float32`, normalised, on the device."""


def pixels_for(preprocess: Preprocess, device: str) -> Pixels:
    """How pictures become pixels on `device`. Raises ModelError for a resampling that only Pillow has."""
    if device == "cpu":
        return lambda pictures: _of_numpy(np.stack([preprocess(rgb) for rgb in pictures]))
    return DevicePixels(preprocess, device)


class DevicePixels:
    """Does on `device` what `Preprocess` does, to within 1/255 of the range."""

    def __init__(self, preprocess: Preprocess, device: str) -> None:
        import torch

        if preprocess.fit != "pad" and preprocess.resample not in _MODES:
            raise ModelError(f"expected resample 2 or 3 in preprocessor_config.json, got {preprocess.resample}; use device='cpu'")
        self._preprocess, self._device = preprocess, device
        self._mean, self._std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (preprocess.mean, preprocess.std))

    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
        import torch

        make = self._padded if self._preprocess.fit == "pad" else self._resized
        with torch.inference_mode():
            return torch.stack([(make(self._upload(rgb)) - self._mean) / self._std for rgb in pictures])

    def _upload(self, rgb: NDArray[np.uint8]) -> torch.Tensor:
        """`(3, H, W) float32` in [0, 255], on the device."""
        picture = _of_numpy(np.require(rgb, requirements=["C", "W"]))
        if self._device != "cpu":
            picture = picture.pin_memory()
        return picture.to(self._device, non_blocking=True).permute(2, 0, 1).float()

    def _resized(self, picture: torch.Tensor) -> torch.Tensor:
        import torch

        height, width = self._preprocess.height, self._preprocess.width
        across, down = self._preprocess.span(*picture.shape[1:])
        passes = [(3, width / across), (2, height / down)]
        fewer_columns, fewer_rows = (picture.shape[axis - 1] * (1 - scale) for axis, scale in passes)
        if fewer_rows > max(0.0, 2 * fewer_columns) + 1e-6:
            passes.reverse()   # as Pillow does since version 13
        resized = picture[None]
        for axis, scale in passes:
            resized = self._one_pass(resized, axis, scale)
        resized = resized[0] / 255
        if resized.shape[1:] == (height, width):
            return resized
        canvas = torch.zeros(3, height, width, device=self._device)
        canvas[:, : resized.shape[1], : resized.shape[2]] = resized
        return canvas

    def _one_pass(self, picture: torch.Tensor, axis: int, scale: float) -> torch.Tensor:
        """Resample one axis by `scale`. What does not fill a last pixel is left out, which only a scale can say, not a size."""
        from torch.nn.functional import interpolate

        length = picture.shape[axis] * scale
        size, factors = list(picture.shape[2:]), [1.0, 1.0]
        size[axis - 2], factors[axis - 2] = max(1, int(length + 1e-6)), scale
        if size == list(picture.shape[2:]) and abs(scale - 1) < 1e-9:
            return picture
        extent: dict[str, Any] = {"size": size} if abs(length - size[axis - 2]) < 1e-6 else {"scale_factor": factors}
        resized = interpolate(picture, **extent, mode=_MODES[self._preprocess.resample], antialias=True, align_corners=False)
        return resized.add_(0.5).floor_().clamp_(0, 255)

    def _padded(self, picture: torch.Tensor) -> torch.Tensor:
        import torch

        picture = picture / 255
        side, black = max(picture.shape[1:]), picture.shape[1] != picture.shape[2]
        down, across = (
            torch.from_numpy(_blur_and_sample(side, size)).to(self._device) for size in (self._preprocess.height, self._preprocess.width)
        )
        sampled = down[:, : picture.shape[1]] @ picture @ across[:, : picture.shape[2]].T
        least, most = picture.amin(), picture.amax()
        return sampled.clamp(torch.zeros_like(least) if black else least, most)


@lru_cache(maxsize=16)
def _blur_and_sample(side: int, size: int) -> NDArray[np.float32]:
    """`(size, side) float32`: what OWLv2's preprocessing does to one axis of a square picture, as a matrix."""
    from scipy import ndimage

    factor = side / size
    blurred = ndimage.gaussian_filter1d(np.eye(side), max(0.0, (factor - 1) / 2), axis=0, mode="mirror") if factor > 1 else np.eye(side)
    sampled = ndimage.zoom(blurred, (1 / factor, 1), order=1, mode="mirror", grid_mode=True)
    return np.ascontiguousarray(sampled, np.float32)


def _of_numpy(array: NDArray[np.uint8] | NDArray[np.float32]) -> torch.Tensor:
    import torch

    return torch.from_numpy(array)
