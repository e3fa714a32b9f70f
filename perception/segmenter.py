"""Masks for prompts."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seesay import masks as coding
from seesay.errors import ModelError
from seesay.messages import Header, Image, Masks, PromptSet
from seesay.perception.clipseg import ClipSeg
from seesay.perception.detector import pick_device, to_rgb
from seesay.perception.embedded import EMBEDDED, load
from seesay.perception.prompts import clean

DEFAULT_THRESHOLD = 0.5


class Segmenter:
    """One mask per prompt, at the picture's resolution. threshold: least probability in [0, 1] of a pixel in a mask."""

    def __init__(self, clipseg: ClipSeg, threshold: float = DEFAULT_THRESHOLD) -> None:
        if not 0.0 < threshold < 1.0:
            raise ModelError(f"expected a mask threshold in (0, 1), got {threshold}")
        self.clipseg = clipseg
        self.threshold = threshold

    @classmethod
    def from_pretrained(cls, model: str = EMBEDDED, threshold: float | None = None, device: str = "auto") -> Segmenter:
        """Load `"embedded"`, a local folder or a Hugging Face id of a CLIPSeg.

        threshold: None takes the one shipped with the checkpoint, else 0.5. device: a torch device, `"auto"` = cuda where there is one.
        Raises ModelError.
        """
        checkpoint = load("segmenter", model)
        shipped = checkpoint.settings.get("mask_threshold", DEFAULT_THRESHOLD)
        return cls(ClipSeg(checkpoint, pick_device(device)), shipped if threshold is None else threshold)

    @property
    def name(self) -> str:
        return self.clipseg.name

    def check(self, prompts: Sequence[str]) -> None:
        """Raise PromptError if the model cannot take one of the prompts."""
        self.clipseg.encode_prompts.check(prompts)

    def segment(self, image: Image, prompts: PromptSet) -> Masks:
        """One mask per prompt of the set. Raises PromptError, and MessageError for a depth picture."""
        return self._masks(to_rgb(image), prompts.prompts, prompts.version, image.header)

    def __call__(self, rgb: NDArray[np.uint8], prompts: Sequence[str]) -> Masks:
        """The same for `(H, W, 3) uint8` RGB and a list of texts."""
        image = Image(Header(time.monotonic_ns()), "rgb8", rgb)
        return self._masks(image.data, tuple(prompts) if not isinstance(prompts, str) else clean(prompts), 0, image.header)

    def probabilities(self, rgb: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float32]:
        """`(M, H, W) float32` probability of every pixel for every prompt; logits are upsampled, then squashed."""
        import torch

        logits = self.clipseg.logits(self.clipseg.encode_image(rgb), prompts)
        with torch.inference_mode():
            full = torch.nn.functional.interpolate(logits[:, None], size=rgb.shape[:2], mode="bilinear", align_corners=False)
            values: NDArray[np.float32] = full[:, 0].sigmoid().cpu().numpy()
            return values

    def _masks(self, rgb: NDArray[np.uint8], prompts: tuple[str, ...], version: int, header: Header) -> Masks:
        height, width = rgb.shape[:2]
        probabilities = np.zeros((0, height, width), np.float32)
        if prompts:
            self.check(prompts)
            probabilities = self.probabilities(rgb, prompts)
        counts, starts = coding.encode(probabilities > self.threshold)
        scores = probabilities.reshape(len(prompts), -1).max(axis=1) if prompts else np.zeros(0, np.float32)
        return Masks(header, version, prompts, self.name, height, width, counts, starts, scores)
