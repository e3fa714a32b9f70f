"""The image tower of CLIP over the weights of a Hugging Face model: the same numbers in fewer passes over memory.

A layer is the pre-norm transformer layer of Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021. Query, key and value come from one
matrix product, and the activation and the sums are done in place. The model's modules see the joined weights: nothing is held twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class Patches:
    """Patch and class tokens with positions, which are resampled to the input's size once, not for every picture."""

    def __init__(self, embeddings: Any, height: int, width: int) -> None:
        import torch

        self._embeddings = embeddings
        count, dim = (height // embeddings.patch_size) * (width // embeddings.patch_size), embeddings.embed_dim
        with torch.inference_mode():
            like = torch.empty(1, 1 + count, dim, device=embeddings.class_embedding.device)
            self._positions = embeddings.interpolate_pos_encoding(like, height, width)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """`(B, 3, height, width)` pixels -> `(B, 1 + P, D)` tokens."""
        import torch

        patches = self._embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2)
        tokens: torch.Tensor = torch.cat([self._embeddings.class_embedding.expand(len(patches), 1, -1), patches], dim=1)
        return tokens.add_(self._positions)


class Tower:
    """The transformer layers of an OWL-ViT, OWLv2 or CLIPSeg image tower, in order. They compute in `dtype`, all around them in float32."""

    def __init__(self, layers: Iterable[Any], dtype: torch.dtype) -> None:
        self._layers = [_Layer(layer.to(dtype)) for layer in layers]
        self._dtype = dtype

    def __len__(self) -> int:
        return len(self._layers)

    def __call__(self, hidden: torch.Tensor) -> torch.Tensor:
        """The `(B, 1 + P, D) float32` tokens after the last layer, for tokens of the same shape."""
        hidden = hidden.to(self._dtype)
        for layer in self._layers:
            hidden = layer(hidden)
        return hidden.float()

    def run(self, hidden: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the tokens after every layer instead."""
        hidden = hidden.to(self._dtype)
        for layer in self._layers:
            hidden = layer(hidden)
            yield hidden.float()


class _Layer:
    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._heads = int(layer.self_attn.num_heads)
        self._weight, self._bias = _join([layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj])
        self._quick = type(layer.mlp.activation_fn).__name__ == "QuickGELUActivation"

    def __call__(self, hidden: torch.Tensor) -> torch.Tensor:
        after: torch.Tensor = hidden + self._attention(self._layer.layer_norm1(hidden))
        return after.add_(self._perceptron(self._layer.layer_norm2(after)))

    def _attention(self, tokens: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import linear, scaled_dot_product_attention

        batch, length, width = tokens.shape
        joined = linear(tokens, self._weight, self._bias).view(batch, length, 3, self._heads, width // self._heads)
        query, key, value = joined.permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(batch, length, width)
        projected: torch.Tensor = self._layer.self_attn.out_proj(mixed)
        return projected

    def _perceptron(self, tokens: torch.Tensor) -> torch.Tensor:
        inner = self._layer.mlp.fc1(tokens)
        active = inner.mul_((inner * 1.702).sigmoid_()) if self._quick else self._layer.mlp.activation_fn(inner)
        outer: torch.Tensor = self._layer.mlp.fc2(active)
        return outer


def _join(parts: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """One weight and bias for several linear layers, which become views of them."""
    import torch

    weight = torch.cat([part.weight.detach() for part in parts])
    bias = torch.cat([part.bias.detach() for part in parts])
    for part, w, b in zip(parts, weight.chunk(len(parts)), bias.chunk(len(parts)), strict=True):
        part.weight.data, part.bias.data = w, b
    return weight, bias
