"""From a camera picture to the pixels that a network reads, equal to the Hugging Face processors without torchvision.

OWL-ViT and CLIPSeg squash the whole picture to a square (Pillow's resampling with anti-aliasing); OWLv2 pads it bottom and right with
black to a square first, then blurs and samples bilinearly, as its authors do. They trained and evaluated OWL-ViT on padded squares too, so
it is also offered the letterbox: the picture keeps its shape, in the upper left of a black square.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seesay.errors import ModelError

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_VIT_MEAN = _VIT_STD = (0.5, 0.5, 0.5)
_BILINEAR, _BICUBIC = 2, 3

# What the processor class of each family assumes where preprocessor_config.json is silent: size, resampling, mean, std.
_DEFAULTS: dict[str, tuple[int, int, tuple[float, ...], tuple[float, ...]]] = {
    "owlvit": (768, _BICUBIC, CLIP_MEAN, CLIP_STD),
    "owlv2": (960, _BILINEAR, CLIP_MEAN, CLIP_STD),
    "clipseg": (224, _BILINEAR, _VIT_MEAN, _VIT_STD),
}


@dataclass(frozen=True)
class Preprocess:
    """How one checkpoint wants its pictures.

    height, width: pixels of the network's input. resample: Pillow's number of the filter. mean, std: per RGB channel, of values in [0, 1].
    """

    height: int
    width: int
    resample: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fit: Literal["squash", "pad", "letterbox"] = "squash"

    @classmethod
    def from_config(cls, family: str, config: Mapping[str, Any]) -> Preprocess:
        """Read the content of a preprocessor_config.json. Raises ModelError for a size or a step that is not supported."""
        size, resample, mean, std = _DEFAULTS[family]
        height, width = _size(config.get("size", size))
        if config.get("do_center_crop"):
            raise ModelError(f"expected a {family} preprocessor without centre crop, got do_center_crop=true; set it to false")
        skipped = [step for step in ("do_resize", "do_rescale", "do_normalize") if not config.get(step, True)]
        if skipped:
            raise ModelError(f"expected a {family} preprocessor with all steps, got {skipped[0]}=false; set it to true")
        return cls(
            height=height,
            width=width,
            resample=int(config.get("resample", resample)),
            mean=tuple(config.get("image_mean") or mean),
            std=tuple(config.get("image_std") or std),
            fit="pad" if family == "owlv2" and config.get("do_pad", True) else "squash",
        )

    def __call__(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`(H, W, 3) uint8` RGB -> `(3, height, width) float32`, normalised."""
        if self.fit == "pad":
            return self._padded(rgb)
        resized = self._letterboxed(rgb) if self.fit == "letterbox" else self._resized(rgb, self.height, self.width, rgb.shape[:2])
        return np.stack([table[resized[..., channel]] for channel, table in enumerate(self._tables)])

    def span(self, height: int, width: int) -> tuple[float, float]:
        """Pixels of the camera picture that the network's unit square spans: (across, down)."""
        if self.fit == "letterbox":
            scale = self._scale(height, width)
            return self.width / scale, self.height / scale
        return (float(max(height, width)),) * 2 if self.fit == "pad" else (float(width), float(height))

    def _scale(self, height: int, width: int) -> float:
        """Pixels of the network's input for one of a picture that keeps its shape."""
        return min(self.height / height, self.width / width)

    def _letterboxed(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture at exactly that scale: what does not fill a last row or column of pixels is left out."""
        scale = self._scale(*rgb.shape[:2])
        rows, columns = (max(1, int(side * scale + 1e-6)) for side in rgb.shape[:2])
        canvas = np.zeros((self.height, self.width, 3), np.uint8)
        canvas[:rows, :columns] = self._resized(rgb, rows, columns, (rows / scale, columns / scale))
        return canvas

    def _resized(self, rgb: NDArray[np.uint8], rows: int, columns: int, part: tuple[float, float]) -> NDArray[np.uint8]:
        """The upper left part, of so many pixels down and across, as a picture of `rows` times `columns`."""
        from PIL import Image as PillowImage

        picture, resample = PillowImage.fromarray(rgb), PillowImage.Resampling(self.resample)
        down, across = min(part[0], rgb.shape[0]), min(part[1], rgb.shape[1])
        return np.asarray(picture.resize((columns, rows), resample=resample, box=(0, 0, across, down)))

    @cached_property
    def _tables(self) -> NDArray[np.float32]:
        """`(3, 256) float32`: the normalised value of every byte, per channel."""
        scaled = (np.arange(256) * (1 / 255)).astype(np.float32)
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        return (scaled[None, :] - mean[:, None]) / std[:, None]

    def _padded(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        from scipy import ndimage

        side = max(rgb.shape[:2])
        square = np.zeros((side, side, 3), np.float32)
        square[: rgb.shape[0], : rgb.shape[1]] = (rgb * (1 / 255)).astype(np.float32)
        factors = np.array([side / self.height, side / self.width, 1.0])
        blurred = ndimage.gaussian_filter(square, np.maximum(0, (factors - 1) / 2), mode="mirror")
        sampled = ndimage.zoom(blurred, 1 / factors, order=1, mode="mirror", grid_mode=True)
        resized = np.clip(sampled, square.min(), square.max())
        normalised = (resized - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray(normalised.transpose(2, 0, 1))


def _size(size: object) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    if isinstance(size, list | tuple) and len(size) == 2:
        return int(size[0]), int(size[1])
    if isinstance(size, Mapping) and "height" in size and "width" in size:
        return int(size["height"]), int(size["width"])
    raise ModelError(f"expected a preprocessor size with height and width, got {size!r}; give both in preprocessor_config.json")
