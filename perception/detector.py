"""Boxes for prompts."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seesay.errors import MessageError, ModelError
from seesay.messages import Detections, Header, Image, Prompt, PromptSet
from seesay.perception.boxes import suppress
from seesay.perception.embedded import EMBEDDED, load
from seesay.perception.owlvit import ImageCode, Owl
from seesay.perception.prompts import full

DEFAULT_THRESHOLD = 0.1
OVERLAP = 0.5
MOST = 300


class Detector:
    """Finds what prompts name: every box may answer several prompts, duplicates are removed per prompt.

    threshold: least score in [0, 1] of a box; overlap: IoU over which the weaker of two boxes of one prompt goes.
    A Prompt may have its own.
    """

    def __init__(self, owl: Owl, threshold: float = DEFAULT_THRESHOLD, overlap: float = OVERLAP) -> None:
        if not 0.0 <= threshold <= 1.0:
            raise ModelError(f"expected a threshold in [0, 1], got {threshold}")
        self.owl = owl
        self.threshold = threshold
        self.overlap = overlap

    @classmethod
    def from_pretrained(cls, model: str = EMBEDDED, threshold: float | None = None, device: str = "auto") -> Detector:
        """Load `"embedded"`, a local folder or a Hugging Face id of an OWL-ViT or OWLv2.

        threshold: None takes the one shipped with the checkpoint, else 0.1. device: a torch device, `"auto"` = cuda where there is one.
        Raises ModelError.
        """
        checkpoint = load("detector", model)
        shipped = checkpoint.settings.get("threshold", DEFAULT_THRESHOLD)
        return cls(Owl(checkpoint, pick_device(device)), shipped if threshold is None else threshold)

    @property
    def name(self) -> str:
        return self.owl.name

    def check(self, prompts: Sequence[str | Prompt]) -> None:
        """Encode the prompts, so that no picture has to wait for it. Raises PromptError if the model cannot take one of them."""
        if prompts:
            self.owl.encode_prompts([prompt.text for prompt in full(prompts)])

    def detect(self, image: Image, prompts: PromptSet) -> Detections:
        """Boxes in the picture for all prompts of the set, best first. Raises PromptError, and MessageError for a depth picture."""
        return self._detections(to_rgb(image), full(prompts.prompts), prompts.version, image.header)

    def __call__(self, rgb: NDArray[np.uint8], prompts: Sequence[str | Prompt]) -> Detections:
        """The same for `(H, W, 3) uint8` RGB and a list of texts or Prompts."""
        image = Image(Header(time.monotonic_ns()), "rgb8", rgb)
        return self._detections(image.data, full(prompts), 0, image.header)

    def _detections(self, rgb: NDArray[np.uint8], prompts: tuple[Prompt, ...], version: int, header: Header) -> Detections:
        height, width = rgb.shape[:2]
        boxes, scores, indices = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32)
        texts = tuple(prompt.text for prompt in prompts)
        if prompts:
            self.check(prompts)
            code = self.owl.encode_image(rgb)
            probabilities = self.owl.logits(code, texts).sigmoid().cpu().numpy()
            boxes, scores, indices = self.select(self.corners(code, height, width), probabilities, prompts)
        return Detections(header, version, texts, self.name, height, width, boxes, scores, indices)

    def corners(self, code: ImageCode, height: int, width: int) -> NDArray[np.float32]:
        """`(P, 4) float32` xyxy pixels of every token's box in a picture of that size, clipped to it."""
        return _corners(code.boxes.cpu().numpy(), self.owl.preprocess.span(height, width), height, width)

    def select(
        self, corners: NDArray[np.float32], probabilities: NDArray[np.float32], prompts: Sequence[str | Prompt]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
        """From `(P, 4)` corners and `(P, Q)` probabilities of Q prompts to boxes `(N, 4)`, scores `(N,)`, prompt indices `(N,)`, by score.

        Multi-label: each (box, prompt) pair over the prompt's threshold stands for itself; suppression within a prompt only.
        A box whose best prompt is a negative one answers none.
        """
        wanted = full(prompts)
        least = np.array([self.threshold if prompt.threshold is None else prompt.threshold for prompt in wanted])
        overlap = np.array([self.overlap if prompt.overlap is None else prompt.overlap for prompt in wanted])
        negative = np.array([prompt.negative for prompt in wanted])
        solid = (corners[:, 2] - corners[:, 0] >= 1) & (corners[:, 3] - corners[:, 1] >= 1)
        solid &= ~negative[probabilities.argmax(axis=1)]
        tokens, indices = np.nonzero((probabilities > least) & solid[:, None] & ~negative)
        scores = probabilities[tokens, indices]
        order = np.argsort(-scores, kind="stable")[:MOST]
        tokens, indices, scores = tokens[order], indices[order], scores[order]
        kept = suppress(corners[tokens], indices, overlap[indices])
        return corners[tokens[kept]], scores[kept].astype(np.float32), indices[kept].astype(np.int32)


def to_rgb(image: Image) -> NDArray[np.uint8]:
    """`(H, W, 3) uint8` RGB of an rgb8, bgr8 or mono8 picture; raises MessageError for depth."""
    if image.encoding == "rgb8":
        return image.data
    if image.encoding == "bgr8":
        return np.ascontiguousarray(image.data[..., ::-1])
    if image.encoding == "mono8":
        return np.repeat(image.data[..., None], 3, axis=2)
    raise MessageError(f"expected a colour or grey picture, got encoding {image.encoding}")


def pick_device(device: str) -> str:
    """A torch device name; `"auto"` is cuda where there is one. Raises ModelError if there is no such device."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ModelError(f"expected a device that is here, got {device!r} without CUDA; use device='cpu'")
    return device


def _corners(boxes: NDArray[np.float32], span: tuple[float, float], height: int, width: int) -> NDArray[np.float32]:
    """Centre-size boxes in the unit square -> xyxy pixels, clipped to the picture."""
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    corners = np.concatenate([centre - half, centre + half], axis=1) * np.array([*span, *span], np.float32)
    clipped: NDArray[np.float32] = np.clip(corners, 0, np.array([width, height, width, height], np.float32)).astype(np.float32)
    return clipped
