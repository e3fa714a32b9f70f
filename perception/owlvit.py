"""OWL-ViT and OWLv2 taken apart: the picture is encoded once, each prompt once, and their meeting is one matrix product.

Equal to the forward pass of the Hugging Face models (Minderer et al., "Simple Open-Vocabulary Object Detection with Vision
Transformers", 2022, and "Scaling Open-Vocabulary Object Detection", 2023), which encode every prompt again for every picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seesay.messages import Example, Prompt
from seesay.perception.device import CPU, Batches, Placement
from seesay.perception.embedded import Checkpoint
from seesay.perception.one_shot import choose_token, outline
from seesay.perception.pixels import pixels_for
from seesay.perception.preprocess import Preprocess
from seesay.perception.queries import PromptEncoder
from seesay.perception.static import Network, compiled
from seesay.perception.text import TextEncoder, check_end_token
from seesay.perception.tower import Patches, Tower

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ImageCode:
    """All that prompts need of one picture, for P tokens: unit `embeddings` (P, D), `shift` and `scale` (P, 1) of the logits,
    `boxes` (P, 4) float32 centre x, y, width, height in the network's unit square, and `objectness` (P,) logits (OWLv2 only)."""

    embeddings: torch.Tensor
    shift: torch.Tensor
    scale: torch.Tensor
    boxes: torch.Tensor
    objectness: torch.Tensor | None = None


class Owl:
    """A loaded OWL-ViT or OWLv2 in three separable steps: `encode_image`, `encode_prompts`, `logits`. It computes as `placement` says.

    batches: how many pictures, crops of pictures or examples it encodes in one pass; what does not fit into memory is halved.
    """

    def __init__(self, checkpoint: Checkpoint, placement: Placement = CPU, letterbox: bool = False) -> None:
        self.name = checkpoint.name
        self.batches = Batches()
        self.preprocess = Preprocess.from_config(checkpoint.family, checkpoint.preprocessor)
        if letterbox and self.preprocess.fit == "squash":
            self.preprocess = replace(self.preprocess, fit="letterbox")
        device = self._device = placement.device
        self._network: Any = checkpoint.network.float().to(device)
        self._pixels = pixels_for(self.preprocess, device)
        self._backbone: Any = self._network.owlvit if checkpoint.family == "owlvit" else self._network.owlv2
        self._patches = Patches(self._backbone.vision_model.embeddings, self.preprocess.height, self.preprocess.width)
        self._tower = Tower(self._backbone.vision_model.encoder.layers, placement.torch_dtype)
        check_end_token(checkpoint)
        limit = int(checkpoint.config.text_config.max_position_embeddings)
        self.encode_prompts = PromptEncoder(TextEncoder(checkpoint.tokenizer, limit, self._text_tower), self._look_at)
        self._box_bias = self._network.compute_box_bias(*self._grid()).float().to(device)
        self._run: Network = compiled(self._network_pass) if placement.compiled else self._network_pass

    def encode_image(self, rgb: NDArray[np.uint8]) -> ImageCode:
        """`(H, W, 3) uint8` RGB -> ImageCode."""
        return self.encode_images([rgb])[0]

    def encode_images(self, pictures: Sequence[NDArray[np.uint8]]) -> list[ImageCode]:
        """Pictures `(H, W, 3) uint8` RGB, of any sizes -> one ImageCode each."""
        return [code for code, _ in self.batches.run(self._encode, pictures)]

    def _encode(self, pictures: Sequence[NDArray[np.uint8]]) -> list[tuple[ImageCode, torch.Tensor]]:
        """Of each picture its code and its `(P, D)` embeddings before they are normalised, in one pass."""
        import torch

        with torch.inference_mode():
            parts = self._run(self._pixels(pictures))
        return [(ImageCode(*codes), raw) for raw, *codes in zip(*parts, strict=True)]

    def _network_pass(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The embeddings before they are normalised, then the fields of ImageCode, each for B pictures."""
        import torch

        features = self._features(pixels)
        head = self._network.class_head
        raw = head.dense0(features)
        embeddings = raw / (torch.linalg.norm(raw, dim=-1, keepdim=True) + 1e-6)
        shift, scale = head.logit_shift(features), head.elu(head.logit_scale(features)) + 1
        boxes = torch.sigmoid(self._network.box_head(features) + self._box_bias)
        objectness = (self._network.objectness_predictor(features),) if hasattr(self._network, "objectness_head") else ()
        return raw, embeddings, shift, scale, boxes, *objectness

    def _look_at(self, examples: Sequence[Example]) -> torch.Tensor:
        """`(E, D) float32`: the unit embedding of the thing in each example."""
        import torch

        chosen = []
        for example, (code, embeddings) in zip(examples, self.batches.run(self._encode, [one.rgb for one in examples]), strict=True):
            thing = outline(example)
            span = np.array(self.preprocess.span(*example.rgb.shape[:2]) * 2, np.float32)
            centre, half = code.boxes[:, :2], code.boxes[:, 2:] / 2
            boxes = torch.cat([centre - half, centre + half], dim=1).cpu().numpy()
            objectness = None if code.objectness is None else code.objectness.cpu().numpy()
            token = choose_token(boxes, None if thing is None else thing / span, embeddings.cpu().numpy(), objectness)
            chosen.append(code.embeddings[token])
        return torch.stack(chosen)

    def logits(self, code: ImageCode, prompts: Sequence[str | Prompt]) -> torch.Tensor:
        """`(P, Q) float32` logits of every token for every prompt; their sigmoid is the score."""
        import torch

        queries = self.encode_prompts(prompts)
        with torch.inference_mode():
            logits: torch.Tensor = (code.embeddings @ queries.T + code.shift) * code.scale
            return logits

    def _features(self, pixels: torch.Tensor) -> torch.Tensor:
        """`(B, P, D)`: patch tokens, each multiplied by the class token and normalised."""
        vision = self._backbone.vision_model
        hidden = vision.pre_layernorm(self._patches(pixels))
        tokens = vision.post_layernorm(self._tower(hidden))
        merged: torch.Tensor = self._network.layer_norm(tokens[:, 1:] * tokens[:, :1])
        return merged

    def _text_tower(self, ids: torch.Tensor) -> torch.Tensor:
        import torch

        with torch.inference_mode():
            vectors: torch.Tensor = self._backbone.get_text_features(input_ids=ids.to(self._device)).pooler_output
            unit: torch.Tensor = vectors / (torch.linalg.norm(vectors, dim=-1, keepdim=True) + 1e-6)
            return unit

    def _grid(self) -> tuple[int, int]:
        patch = int(self._network.config.vision_config.patch_size)
        return self.preprocess.height // patch, self.preprocess.width // patch

