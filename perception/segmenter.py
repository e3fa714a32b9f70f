"""Masks for prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from seesay import masks as coding
from seesay.errors import ModelError
from seesay.messages import Header, Image, Masks, Prompt, PromptSet
from seesay.perception.clipseg import ClipSeg, ImageCode
from seesay.perception.device import Batches, Dtype, Placement, clear_failures, pick_device
from seesay.perception.embedded import EMBEDDED, load
from seesay.perception.pictures import from_array, to_rgb
from seesay.perception.prompts import full
from seesay.perception.static import warm_up

if TYPE_CHECKING:
    import torch

DEFAULT_THRESHOLD = 0.5
AT_ONCE = 1 << 21
"""Pixels of masks that are decoded together: memory does not grow with the number of prompts."""


class Segmenter:
    """One mask per prompt, at the picture's resolution.

    threshold: least probability in (0, 1) of a pixel in a mask; a Prompt may have its own, `mask_threshold`.
    """

    def __init__(self, clipseg: ClipSeg, threshold: float = DEFAULT_THRESHOLD) -> None:
        if not 0.0 < threshold < 1.0:
            raise ModelError(f"expected a mask threshold in (0, 1), got {threshold}")
        self.clipseg = clipseg
        self.threshold = threshold

    @classmethod
    def from_pretrained(
        cls, model: str = EMBEDDED, threshold: float | None = None, device: str = "auto", dtype: Dtype = "float32", compiled: bool = False
    ) -> Segmenter:
        """Load `"embedded"`, a local folder or a Hugging Face id of a CLIPSeg.

        threshold: None takes the one shipped with the checkpoint, else 0.5. device: a torch device, `"auto"` = cuda where there is one.
        dtype: of the image tower; bfloat16 is for a GPU. compiled: compile the pass over pictures, a minute's work with the first picture.
        Raises ModelError.
        """
        checkpoint = load("segmenter", model)
        shipped = checkpoint.settings.get("mask_threshold", DEFAULT_THRESHOLD)
        return cls(ClipSeg(checkpoint, Placement(pick_device(device), dtype, compiled)), shipped if threshold is None else threshold)

    def warm_up(self, batch: int = 1) -> Batches:
        """Do once all that costs time only once, for batches of up to so many pictures; return them, smaller if memory does not suffice.
        From then on no more pictures or examples are encoded at once."""
        return warm_up(self.clipseg, batch)

    @property
    def name(self) -> str:
        return self.clipseg.name

    def check(self, prompts: Sequence[str | Prompt]) -> None:
        """Encode the prompts, so that no picture has to wait for it. Raises PromptError if the model cannot take one of them."""
        if prompts:
            self.clipseg.encode_prompts(prompts)

    @clear_failures()
    def segment(self, image: Image, prompts: PromptSet) -> Masks:
        """One mask per prompt of the set. Raises PromptError, MessageError for a depth
        picture, and DeviceError."""
        return self.segment_all([image], prompts)[0]

    def segment_all(self, images: Sequence[Image], prompts: PromptSet) -> list[Masks]:
        """The same for several pictures of any sizes, in one pass of the image tower or a few (`clipseg.batches`)."""
        pictures, wanted = [to_rgb(image) for image in images], full(prompts.prompts)
        codes: Sequence[ImageCode | None] = [None] * len(pictures)
        if wanted:
            self.check(wanted)
            codes = self.clipseg.encode_images(pictures)
        return [self._masks(image, code, wanted, prompts.version) for image, code in zip(images, codes, strict=True)]

    @overload
    def __call__(self, rgb: NDArray[np.uint8], prompts: Sequence[str | Prompt]) -> Masks: ...

    @overload
    def __call__(self, rgb: Sequence[NDArray[np.uint8]], prompts: Sequence[str | Prompt]) -> list[Masks]: ...

    @clear_failures()
    def __call__(self, rgb: Any, prompts: Sequence[str | Prompt]) -> Masks | list[Masks]:
        """The same for `(H, W, 3) uint8` RGB and a list of texts or Prompts; for a list of pictures, of any sizes, a list."""
        asked = PromptSet(Header(0), 0, full(prompts))
        if isinstance(rgb, list | tuple):
            return self.segment_all([from_array(picture) for picture in rgb], asked)
        return self.segment_all([from_array(rgb)], asked)[0]

    def probabilities(self, rgb: NDArray[np.uint8], prompts: Sequence[str | Prompt]) -> NDArray[np.float32]:
        """`(M, H, W) float32` probability of every pixel for every prompt; logits are upsampled, then squashed."""
        import torch

        code = self.clipseg.encode_image(rgb)
        with torch.inference_mode():
            maps = [self._logits(code, [prompt], rgb.shape[:2]).sigmoid() for prompt in full(prompts)]
            return torch.cat(maps).cpu().numpy() if maps else np.zeros((0, *rgb.shape[:2]), np.float32)

    def _masks(self, image: Image, code: ImageCode | None, prompts: tuple[Prompt, ...], version: int) -> Masks:
        height, width = image.height, image.width
        texts = tuple(prompt.text for prompt in prompts)
        runs: list[NDArray[np.uint32]] = []
        scores = np.zeros(len(prompts), np.float32)
        least = self._least_logits(prompts)
        step = max(1, AT_ONCE // (height * width))
        for first in range(0, len(prompts), step):
            assert code is not None
            logits = self._logits(code, prompts[first : first + step], (height, width))
            scores[first : first + step] = logits.amax(dim=(1, 2)).sigmoid().cpu().numpy()
            runs += [coding.encode_one(mask) for mask in (logits > least[first : first + step, None, None].to(logits.device)).cpu().numpy()]
        starts = np.cumsum([0, *map(len, runs)], dtype=np.uint32)
        counts = np.concatenate(runs) if runs else np.zeros(0, np.uint32)
        return Masks(image.header, version, texts, self.name, height, width, counts, starts, scores)

    def _least_logits(self, prompts: Sequence[Prompt]) -> torch.Tensor:
        """`(M,) float32` logits that a pixel of each prompt's mask exceeds."""
        import torch

        least = [self.threshold if prompt.mask_threshold is None else prompt.mask_threshold for prompt in prompts]
        return torch.tensor(least, dtype=torch.float32).logit()

    def _logits(self, code: ImageCode, prompts: Sequence[str | Prompt], size: tuple[int, int]) -> torch.Tensor:
        """`(M, H, W) float32` logits at the picture's size."""
        import torch

        with torch.inference_mode():
            small = self.clipseg.logits(code, prompts)[:, None]
            full: torch.Tensor = torch.nn.functional.interpolate(small, size=size, mode="bilinear", align_corners=False)
            return full[:, 0]
