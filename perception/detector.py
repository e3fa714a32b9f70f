"""Boxes for prompts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seesay.errors import ModelError, PromptError
from seesay.messages import Detections, Embeddings, Header, Image, Prompt, PromptSet, PromptVectors
from seesay.perception.calibration import Calibration, load_calibration
from seesay.perception.decoding import OVERLAP, clipped_corners, select
from seesay.perception.device import pick_device
from seesay.perception.embedded import EMBEDDED, load
from seesay.perception.owlvit import ImageCode, Owl
from seesay.perception.pictures import to_rgb
from seesay.perception.prompts import full

DEFAULT_THRESHOLD = 0.1


class Detector:
    """Finds what prompts name: every box may answer several prompts, duplicates are removed per prompt.

    threshold: least score in [0, 1] of a box; overlap: IoU over which the weaker of two boxes of one prompt goes.
    A Prompt may have its own. calibration: what the scores mean as probabilities, None where that is not known.
    observer: called with every picture that was looked at and its code.
    """

    def __init__(
        self, owl: Owl, threshold: float = DEFAULT_THRESHOLD, overlap: float = OVERLAP, calibration: Calibration | None = None
    ) -> None:
        if not 0.0 <= threshold <= 1.0:
            raise ModelError(f"expected a threshold in [0, 1], got {threshold}")
        self.owl = owl
        self.threshold = threshold
        self.overlap = overlap
        self.calibration = calibration
        self.observer: Callable[[Image, ImageCode], None] | None = None

    @classmethod
    def from_pretrained(cls, model: str = EMBEDDED, threshold: float | None = None, device: str = "auto") -> Detector:
        """Load `"embedded"`, a local folder or a Hugging Face id of an OWL-ViT or OWLv2.

        threshold: None takes the one shipped with the checkpoint, else 0.1. device: a torch device, `"auto"` = cuda where there is one.
        Raises ModelError.
        """
        checkpoint = load("detector", model)
        shipped = checkpoint.settings.get("threshold", DEFAULT_THRESHOLD)
        owl = Owl(checkpoint, pick_device(device))
        return cls(owl, shipped if threshold is None else threshold, calibration=load_calibration(Path(checkpoint.place)))

    @property
    def name(self) -> str:
        return self.owl.name

    def check(self, prompts: Sequence[str | Prompt]) -> None:
        """Encode the prompts, so that no picture has to wait for it. Raises PromptError if the model cannot take one of them."""
        if prompts:
            self.owl.encode_prompts(prompts)

    def detect(self, image: Image, prompts: PromptSet) -> Detections:
        """Boxes in the picture for all prompts of the set, best first. Raises PromptError, and MessageError for a depth picture."""
        return self.detect_all([image], prompts)[0]

    def detect_all(self, images: Sequence[Image], prompts: PromptSet) -> list[Detections]:
        """The same for several pictures of any sizes, in one pass of the image tower."""
        pictures, wanted = [to_rgb(image) for image in images], full(prompts.prompts)
        codes: Sequence[ImageCode | None] = [None] * len(pictures)
        if wanted:
            self.check(wanted)
            codes = self.owl.encode_images(pictures)
        return [self._detections(image, code, wanted, prompts.version) for image, code in zip(images, codes, strict=True)]

    def __call__(self, rgb: NDArray[np.uint8], prompts: Sequence[str | Prompt]) -> Detections:
        """The same for `(H, W, 3) uint8` RGB and a list of texts or Prompts."""
        return self.detect(Image(Header(time.monotonic_ns()), "rgb8", rgb), PromptSet(Header(0), 0, full(prompts)))

    def _detections(self, image: Image, code: ImageCode | None, prompts: tuple[Prompt, ...], version: int) -> Detections:
        height, width = image.height, image.width
        boxes, scores, indices = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32)
        texts = tuple(prompt.text for prompt in prompts)
        if code is not None:
            probabilities = self.owl.logits(code, prompts).sigmoid().cpu().numpy()
            boxes, scores, indices = self.select(self.corners(code, height, width), probabilities, prompts)
            if self.observer is not None:
                self.observer(image, code)
        found = Detections(image.header, version, texts, self.name, height, width, boxes, scores, indices)
        if self.calibration is None:
            return found
        return replace(found, probabilities=self.calibration.probabilities(texts, indices, scores))

    def embeddings(self, image: Image, code: ImageCode) -> Embeddings:
        """A picture's code for the visual memory, one byte a component."""
        vectors, shift, scale = (part.cpu().numpy() for part in (code.embeddings, code.shift[:, 0], code.scale[:, 0]))
        units = np.maximum(np.abs(vectors).max(axis=1) / 127, 1e-12).astype(np.float32)
        small, corners = np.rint(vectors / units[:, None]).astype(np.int8), self.corners(code, image.height, image.width)
        return Embeddings(image.header, self.name, image.height, image.width, small, units * scale, shift * scale, corners)

    def encode_prompts(self, prompts: Sequence[str]) -> PromptVectors:
        """Prompts to be looked for in embeddings, with the threshold of now. Raises PromptError."""
        if not prompts:
            raise PromptError("expected at least one prompt, got none; name a thing, such as 'a red block'")
        vectors = self.owl.encode_prompts(prompts).cpu().numpy()
        return PromptVectors(Header(time.monotonic_ns()), self.name, self.threshold, tuple(prompts), vectors)

    def corners(self, code: ImageCode, height: int, width: int) -> NDArray[np.float32]:
        """`(P, 4) float32` xyxy pixels of every token's box in a picture of that size, clipped to it."""
        return clipped_corners(code.boxes.cpu().numpy(), self.owl.preprocess.span(height, width), height, width)

    def select(
        self, corners: NDArray[np.float32], probabilities: NDArray[np.float32], prompts: Sequence[str | Prompt]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
        """`seesay.perception.decoding.select` with this detector's threshold and overlap."""
        return select(corners, probabilities, full(prompts), self.threshold, self.overlap)
