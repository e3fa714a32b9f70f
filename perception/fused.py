"""Detectors that read picture and prompts together: Grounding DINO, MM-Grounding-DINO (and so LLMDet) and OmDet-Turbo.

Their networks mix text into the features of the picture, so that nothing of a picture outlives a change of prompts; in exchange they
are more accurate than separable ones. Every (box, prompt) pair has a score of its own, as with the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from seesay.errors import ModelError
from seesay.messages import Detections, Header, Image, Prompt, PromptSet
from seesay.perception.decoding import OVERLAP, clipped_corners
from seesay.perception.device import Batches, clear_failures, pick_device
from seesay.perception.embedded import FUSED, Checkpoint, load
from seesay.perception.fused_text import Captions, Classes
from seesay.perception.growing import NOTHING, Scored, grow
from seesay.perception.pictures import from_array, to_rgb
from seesay.perception.prompts import clean, listed, words_alone
from seesay.perception.trees import plant

if TYPE_CHECKING:
    import torch

DEFAULT_THRESHOLD = 0.25


class _Forward(Protocol):
    """Pictures (what the image processor made of them) and prompts -> boxes `(B, P, 4)` in the unit square, probabilities `(B, P, Q)`."""

    def check(self, prompts: Sequence[str]) -> None: ...

    def __call__(self, pictures: Any, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]: ...


class FusedDetector:
    """Finds what prompts name, as `Detector` does, with any fused model of `AutoModelForZeroShotObjectDetection`.

    threshold: least score in [0, 1] of a box; overlap: IoU over which the weaker of two boxes of one prompt goes.
    """

    def __init__(
        self, checkpoint: Checkpoint, threshold: float = DEFAULT_THRESHOLD, overlap: float = OVERLAP, device: str = "cpu"
    ) -> None:
        import transformers

        if not 0.0 <= threshold <= 1.0:
            raise ModelError(f"expected a threshold in [0, 1], got {threshold}")
        self.name = checkpoint.name
        self.threshold = threshold
        self.overlap = overlap
        self._device = device
        self._batches = Batches()
        network = checkpoint.network.float().to(device)
        forward = _OmDet if checkpoint.family == "omdet-turbo" else _GroundingDino
        self._forward: _Forward = forward(network, checkpoint.tokenizer)
        processors: Any = transformers.AutoImageProcessor
        self._processor = processors.from_pretrained(checkpoint.place, local_files_only=True, backend="pil")

    @classmethod
    def from_pretrained(cls, model: str, threshold: float | None = None, device: str = "auto") -> FusedDetector:
        """Load a local folder or a Hugging Face id, such as `"IDEA-Research/grounding-dino-tiny"`.

        threshold: None takes the one shipped with the checkpoint, else 0.25. device: a torch device, `"auto"` = cuda where there is one.
        Raises ModelError.
        """
        checkpoint = load("detector", model, FUSED)
        shipped = checkpoint.settings.get("threshold", DEFAULT_THRESHOLD)
        return cls(checkpoint, shipped if threshold is None else threshold, device=pick_device(device))

    def check(self, prompts: Sequence[str | Prompt]) -> None:
        """Raise PromptError if the model cannot take one of the prompts."""
        self._forward.check(words_alone(prompts))

    @clear_failures()
    def detect(self, image: Image, prompts: PromptSet) -> Detections:
        """Boxes in the picture for all prompts of the set, best first. Raises PromptError, MessageError for a depth
        picture, and DeviceError."""
        return self.detect_all([image], prompts)[0]

    def detect_all(self, images: Sequence[Image], prompts: PromptSet) -> list[Detections]:
        """The same for several pictures of any sizes."""
        names = tuple(words_alone(prompts.prompts))
        if not (names and images):
            return [self._detections(image, prompts.version, (), *NOTHING) for image in images]
        self.check(prompts.prompts)
        pictures, tree = [to_rgb(image) for image in images], plant(prompts.prompts)
        first = self._look(pictures, [branch.prompt for branch in tree.below])
        found = grow(tree, pictures, first, self._look, self.threshold, self.overlap)
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

    def _detections(
        self, image: Image, version: int, names: tuple[str, ...], boxes: NDArray[np.float32], scores: NDArray[np.float32],
        indices: NDArray[np.int32], parents: NDArray[np.int32],
    ) -> Detections:
        size = image.height, image.width
        return Detections(image.header, version, names, self.name, *size, boxes, scores, indices, parents=parents)

    def _look(self, pictures: Sequence[NDArray[np.uint8]], prompts: Sequence[Prompt]) -> list[Scored]:
        return self._batches.run(partial(self._pass, prompts=prompts), pictures)

    def _pass(self, pictures: Sequence[NDArray[np.uint8]], prompts: Sequence[Prompt]) -> list[Scored]:
        import torch

        pixels = self._processor(list(pictures), return_tensors="pt", input_data_format="channels_last").to(self._device)
        with torch.inference_mode():
            scored = self._forward(pixels, clean([prompt.text for prompt in prompts]))
            boxes, probabilities = (part.float().cpu().numpy() for part in scored)
        sizes = [rgb.shape[:2] for rgb in pictures]
        corners = [clipped_corners(part, (width, height), height, width) for part, (height, width) in zip(boxes, sizes, strict=True)]
        return list(zip(corners, probabilities, strict=True))


class _GroundingDino:
    """Prompts are phrases of a caption ("a cat. a dog."); a pair's score is the mean over the phrase's tokens, as both authors evaluate
    (Liu et al., "Grounding DINO", 2023; Zhao et al., "MM-Grounding-DINO", 2024): the best token alone would let "red block" claim
    whatever is red."""

    def __init__(self, network: Any, tokenizer: Any) -> None:
        self._network = network
        text = min(int(network.config.max_text_len), int(network.config.text_config.max_position_embeddings))
        self._captions = Captions(tokenizer, text, set(network.model.special_tokens.tolist()))

    def check(self, prompts: Sequence[str]) -> None:
        self._captions(clean(prompts))

    def __call__(self, pictures: Any, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        boxes, parts = [], []
        for caption in self._captions(prompts):
            ids = torch.tensor(caption.ids, device=self._network.device).expand(len(pictures["pixel_values"]), -1)
            output = self._network(**pictures, input_ids=ids, token_type_ids=torch.zeros_like(ids), attention_mask=torch.ones_like(ids))
            tokens = output.logits.sigmoid()
            scores = tokens.new_zeros(*tokens.shape[:2], len(prompts))
            for index, span in caption.spans.items():
                scores[..., index] = tokens[..., span].mean(dim=-1)
            boxes.append(output.pred_boxes)
            parts.append(scores)
        return torch.cat(boxes, dim=1), torch.cat(parts, dim=1)


class _OmDet:
    """Each prompt is a class, and a task names them all ("Detect a cat, a dog."). The network keeps the vectors of texts by itself
    (Zhao et al., "Real-time Transformer-based Open-Vocabulary Detection with Efficient Fusion Head", 2024)."""

    def __init__(self, network: Any, tokenizer: Any) -> None:
        self._network = network
        self._classes = Classes(tokenizer, int(network.config.text_config.max_position_embeddings))

    def check(self, prompts: Sequence[str]) -> None:
        self._classes(clean(prompts))

    def __call__(self, pictures: Any, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        boxes, parts, count = [], [], len(pictures["pixel_values"])
        for first, texts in self._classes(prompts):
            names, task = (torch.tensor(rows, device=self._network.device) for rows in (texts.classes, [texts.task]))
            output = self._network(
                pixel_values=pictures["pixel_values"],
                classes_input_ids=names[:, 0].repeat(count, 1),
                classes_attention_mask=names[:, 1].repeat(count, 1),
                tasks_input_ids=task[:, 0].repeat(count, 1),
                tasks_attention_mask=task[:, 1].repeat(count, 1),
                classes_structure=torch.full((count,), len(names), device=self._network.device),
            )
            some = output.decoder_class_logits.sigmoid()
            scores = some.new_zeros(*some.shape[:2], len(prompts))
            scores[..., first : first + len(names)] = some[..., : len(names)]
            boxes.append(output.decoder_coord_logits)
            parts.append(scores)
        return torch.cat(boxes, dim=1), torch.cat(parts, dim=1)
