"""Boxes for prompts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from seesay.errors import ModelError, PromptError
from seesay.messages import Detections, Embeddings, Header, Image, Prompt, PromptSet, PromptVectors
from seesay.perception.calibration import Calibration, load_calibration
from seesay.perception.decoding import OVERLAP, clipped_corners
from seesay.perception.device import Batches, Dtype, Placement, clear_failures, pick_device
from seesay.perception.embedded import EMBEDDED, load
from seesay.perception.growing import NOTHING, Scored, grow
from seesay.perception.owlvit import ImageCode, Owl
from seesay.perception.pictures import from_array, to_rgb
from seesay.perception.prompts import full, listed
from seesay.perception.static import warm_up
from seesay.perception.trees import plant

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
    def from_pretrained(
        cls,
        model: str = EMBEDDED,
        threshold: float | None = None,
        device: str = "auto",
        letterbox: bool = False,
        dtype: Dtype = "float32",
        compiled: bool = False,
    ) -> Detector:
        """Load `"embedded"`, a local folder or a Hugging Face id of an OWL-ViT or OWLv2.

        threshold: None takes the one shipped with the checkpoint, else 0.1. device: a torch device, `"auto"` = cuda where there is one.
        letterbox: an OWL-ViT sees pictures in their own shape, in a black square, not squashed to one; an OWLv2 always does.
        dtype: of the image tower; bfloat16 is for a GPU. compiled: compile the pass over pictures, a minute's work with the first picture.
        Raises ModelError.
        """
        checkpoint = load("detector", model)
        shipped = checkpoint.settings.get("threshold", DEFAULT_THRESHOLD)
        owl = Owl(checkpoint, Placement(pick_device(device), dtype, compiled), letterbox)
        return cls(owl, shipped if threshold is None else threshold, calibration=load_calibration(Path(checkpoint.place)))

    def warm_up(self, batch: int = 1) -> Batches:
        """Do once all that costs time only once, for batches of up to so many pictures; return them, smaller if memory does not suffice.
        From then on no more pictures, crops or examples are encoded at once."""
        return warm_up(self.owl, batch)

    @property
    def name(self) -> str:
        return self.owl.name

    def check(self, prompts: Sequence[str | Prompt]) -> None:
        """Encode the prompts, so that no picture has to wait for it. Raises PromptError if the model cannot take one of them."""
        if prompts:
            self.owl.encode_prompts(prompts)

    @clear_failures()
    def detect(self, image: Image, prompts: PromptSet) -> Detections:
        """Boxes in the picture for all prompts of the set, best first. Raises PromptError, MessageError for a depth
        picture, and DeviceError."""
        return self.detect_all([image], prompts)[0]

    def detect_all(self, images: Sequence[Image], prompts: PromptSet) -> list[Detections]:
        """The same for several pictures of any sizes, in one pass of the image tower or a few (`owl.batches`)."""
        pictures, tree = [to_rgb(image) for image in images], plant(prompts.prompts)
        names = tuple(prompt.text for prompt in full(prompts.prompts))
        if not (names and images):
            return [self._detections(image, prompts.version, (), *NOTHING) for image in images]
        self.check(prompts.prompts)
        codes, top = self.owl.encode_images(pictures), [branch.prompt for branch in tree.below]
        found = grow(tree, pictures, self._scored(codes, top, pictures), self._look, self.threshold, self.overlap)
        if self.observer is not None:
            for image, code in zip(images, codes, strict=True):
                self.observer(image, code)
        return [self._detections(image, prompts.version, names, *answer) for image, answer in zip(images, found, strict=True)]

    @overload
    def __call__(self, rgb: NDArray[np.uint8], prompts: Sequence[str | Prompt]) -> Detections: ...

    @overload
    def __call__(self, rgb: Sequence[NDArray[np.uint8]], prompts: Sequence[str | Prompt]) -> list[Detections]: ...

    @clear_failures()
    def __call__(self, rgb: Any, prompts: Sequence[str | Prompt]) -> Detections | list[Detections]:
        """The same for `(H, W, 3) uint8` RGB and a list of texts or Prompts; for a list of pictures, of any sizes, a list."""
        asked = PromptSet(Header(0), 0, listed(prompts))
        if isinstance(rgb, list | tuple):
            return self.detect_all([from_array(picture) for picture in rgb], asked)
        return self.detect_all([from_array(rgb)], asked)[0]

    def _look(self, pictures: Sequence[NDArray[np.uint8]], prompts: tuple[Prompt, ...]) -> list[Scored]:
        return self._scored(self.owl.encode_images(pictures), prompts, pictures)

    def _scored(self, codes: Sequence[ImageCode], prompts: Sequence[Prompt], pictures: Sequence[NDArray[np.uint8]]) -> list[Scored]:
        import torch

        with torch.inference_mode():   # one copy from the device
            found = torch.stack([torch.cat([code.boxes, self.owl.logits(code, prompts).sigmoid()], dim=1) for code in codes]).cpu().numpy()
        return [(self._clipped(own[:, :4], *rgb.shape[:2]), own[:, 4:]) for own, rgb in zip(found, pictures, strict=True)]

    def _detections(
        self, image: Image, version: int, names: tuple[str, ...], boxes: NDArray[np.float32], scores: NDArray[np.float32],
        indices: NDArray[np.int32], parents: NDArray[np.int32],
    ) -> Detections:
        found = Detections(
            image.header, version, names, self.name, image.height, image.width, boxes, scores, indices, parents=parents
        )
        if self.calibration is None:
            return found
        return replace(found, probabilities=self.calibration.probabilities(names, indices, scores))

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
        names = tuple(prompt.text for prompt in full(prompts))
        return PromptVectors(Header(time.monotonic_ns()), self.name, self.threshold, names, vectors)

    def corners(self, code: ImageCode, height: int, width: int) -> NDArray[np.float32]:
        """`(P, 4) float32` xyxy pixels of every token's box in a picture of that size, clipped to it."""
        return self._clipped(code.boxes.cpu().numpy(), height, width)

    def _clipped(self, boxes: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
        return clipped_corners(boxes, self.owl.preprocess.span(height, width), height, width)
