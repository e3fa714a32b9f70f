"""CLIPSeg taken apart: the picture is encoded once, each prompt once, and only the small decoder runs per prompt.

Equal to the forward pass of the Hugging Face model (Lüddecke and Ecker, "Image Segmentation Using Text and Image Prompts", 2022),
which runs the whole image tower again for every prompt. Layers after the deepest one that the decoder reads are not run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seesay.errors import ModelError
from seesay.messages import Example, Prompt
from seesay.perception.device import CPU, Batches, Placement
from seesay.perception.embedded import Checkpoint
from seesay.perception.pixels import pixels_for
from seesay.perception.preprocess import Preprocess
from seesay.perception.queries import PromptEncoder
from seesay.perception.static import Network, compiled
from seesay.perception.text import TextEncoder, check_end_token
from seesay.perception.tower import Patches, Tower
from seesay.perception.visual_prompt import engineer

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ImageCode:
    """What the decoder needs of one picture: the reduced activations, deepest first, each `(1, 1 + P, d)`."""

    activations: tuple[torch.Tensor, ...]


class ClipSeg:
    """A loaded CLIPSeg in three separable steps: `encode_image`, `encode_prompts`, `logits`.

    batches: how many pictures or examples it encodes in one pass; what does not fit into memory is halved.
    """

    def __init__(self, checkpoint: Checkpoint, placement: Placement = CPU) -> None:
        self.name = checkpoint.name
        self.batches = Batches()
        self.preprocess = Preprocess.from_config("clipseg", checkpoint.preprocessor)
        if self.preprocess.height != self.preprocess.width:
            got = f"{self.preprocess.height} x {self.preprocess.width}"
            raise ModelError(f"expected a square CLIPSeg input, got {got}; set size in preprocessor_config.json")
        device = self._device = placement.device
        self._network: Any = checkpoint.network.float().to(device)
        self._pixels = pixels_for(self.preprocess, device)
        self._dtype = placement.torch_dtype
        self._wanted = [int(index) for index in checkpoint.config.extract_layers]
        self._tower = Tower(self._network.clip.vision_model.encoder.layers[: max(self._wanted) + 1], self._dtype)
        text = checkpoint.config.text_config
        check_end_token(checkpoint, None if text.eos_token_id == 2 else int(text.eos_token_id))   # 2: as CLIP's first configurations say
        texts = TextEncoder(checkpoint.tokenizer, int(text.max_position_embeddings), self._text_tower)
        self.encode_prompts = PromptEncoder(texts, self._look_at)
        self._patches = Patches(self._network.clip.vision_model.embeddings, self.preprocess.height, self.preprocess.width)
        self._run: Network = compiled(self._network_pass) if placement.compiled else self._network_pass

    def encode_image(self, rgb: NDArray[np.uint8]) -> ImageCode:
        """`(H, W, 3) uint8` RGB -> ImageCode."""
        return self.encode_images([rgb])[0]

    def encode_images(self, pictures: Sequence[NDArray[np.uint8]]) -> list[ImageCode]:
        """Pictures `(H, W, 3) uint8` RGB, of any sizes -> one ImageCode each."""
        return self.batches.run(self._encode, pictures)

    def _encode(self, pictures: Sequence[NDArray[np.uint8]]) -> list[ImageCode]:
        """The same in one pass."""
        import torch

        with torch.inference_mode():
            reduced = self._run(self._pixels(pictures))
        return [ImageCode(tuple(part[number : number + 1] for part in reduced)) for number in range(len(pictures))]

    def _network_pass(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The activations of ImageCode for B pictures."""
        vision, decoder = self._network.clip.vision_model, self._network.decoder
        hidden = vision.pre_layrnorm(self._patches(pixels))
        kept = [after if index in self._wanted else None for index, after in enumerate(self._tower.run(hidden))]
        deepest_first = [kept[index] for index in reversed(self._wanted)]
        return tuple(reduce(activation) for reduce, activation in zip(decoder.reduces, deepest_first, strict=True))

    def logits(self, code: ImageCode, prompts: Sequence[str | Prompt]) -> torch.Tensor:
        """`(Q, h, w) float32` logits at the network's resolution; their sigmoid is the probability of a pixel."""
        import torch

        decoder = self._network.decoder
        conditions = self.encode_prompts(prompts)
        with torch.inference_mode():
            output = None
            for index, (activation, layer) in enumerate(zip(code.activations, decoder.layers, strict=True)):
                output = activation if output is None else activation + output
                if index == decoder.conditional_layer:
                    output = decoder.film_mul(conditions)[:, None] * output + decoder.film_add(conditions)[:, None]
                output = layer(output, attention_mask=None)
            assert output is not None
            side = round((output.shape[1] - 1) ** 0.5)
            maps = output[:, 1:].transpose(1, 2).reshape(output.shape[0], -1, side, side)
            upsampled: torch.Tensor = decoder.transposed_convolution(maps)
            return upsampled[:, 0]

    def _look_at(self, examples: Sequence[Example]) -> torch.Tensor:
        """`(E, D) float32`: CLIP's embedding of each example, its thing made to stand out."""
        import torch

        return torch.stack(self.batches.run(self._embed, [engineer(example) for example in examples]))

    def _embed(self, pictures: Sequence[NDArray[np.uint8]]) -> list[torch.Tensor]:
        """CLIP's embedding of each picture, `(D,) float32`, in one pass."""
        import torch

        pixels = self._pixels(pictures)
        mixed = torch.autocast(torch.device(self._device).type, self._dtype, enabled=self._dtype != torch.float32)
        with torch.inference_mode(), mixed:   # Hugging Face's own pass, which does not know that the tower computes in another type
            vectors: torch.Tensor = self._network.clip.get_image_features(pixels).pooler_output
            return list(vectors.float())

    def _text_tower(self, ids: torch.Tensor) -> torch.Tensor:
        import torch

        with torch.inference_mode():
            vectors: torch.Tensor = self._network.clip.get_text_features(ids.to(self._device)).pooler_output
            return vectors
