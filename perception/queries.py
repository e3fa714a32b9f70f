"""Prompts to vectors: texts, templates, pictures and mixes of them, each encoded once.

A prompt of several parts is the mean of their vectors, which are not normalised again: with OWL-ViT, whose logits are linear in the
prompt's vector, that is exactly the mean of the parts' logits, as its authors evaluate ensembles. With CLIPSeg it is the interpolation of
conditions that it was trained with (Lüddecke and Ecker, 2022, section 3).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from seesay.messages import Example, Prompt
from seesay.perception.prompts import full
from seesay.perception.text import TextEncoder

if TYPE_CHECKING:
    import torch


class PromptEncoder:
    """Encodes prompts: their words with `texts`, their pictures with `pictures`, which maps E examples to `(E, D) float32`."""

    def __init__(self, texts: TextEncoder, pictures: Callable[[Sequence[Example]], torch.Tensor]) -> None:
        self.texts = texts
        self._pictures = pictures
        self._kept: WeakKeyDictionary[Example, torch.Tensor] = WeakKeyDictionary()
        self._last: tuple[tuple[Prompt, ...], torch.Tensor] | None = None
        self._lock = threading.Lock()

    def __call__(self, prompts: Sequence[str | Prompt]) -> torch.Tensor:
        """`(Q, D) float32`, one row per prompt. Raises PromptError for what the model cannot take."""
        wanted = full(prompts)
        with self._lock:
            if self._last is None or self._last[0] != wanted:
                self._last = wanted, self._encode(wanted)
            return self._last[1]

    def _encode(self, prompts: tuple[Prompt, ...]) -> torch.Tensor:
        import torch

        sentences = [_sentences(prompt) for prompt in prompts]
        flat = [sentence for group in sentences for sentence in group]
        vectors = self.texts(flat) if flat else torch.zeros(0, 0)
        words: Sequence[torch.Tensor] = torch.split(vectors, [len(group) for group in sentences])
        fresh = list({example: None for prompt in prompts for example in prompt.examples if example not in self._kept})
        if fresh:
            self._kept.update(zip(fresh, self._pictures(fresh), strict=True))
        return torch.stack([self._mix(prompt, own) for prompt, own in zip(prompts, words, strict=True)])

    def _mix(self, prompt: Prompt, words: torch.Tensor) -> torch.Tensor:
        import torch

        if not prompt.examples:
            return words.mean(dim=0)
        seen = torch.stack([self._kept[example] for example in prompt.examples]).mean(dim=0)
        return prompt.text_weight * words.mean(dim=0) + (1 - prompt.text_weight) * seen if len(words) else seen


def _sentences(prompt: Prompt) -> list[str]:
    """The texts that count; none for a prompt of pictures alone."""
    if prompt.examples and not prompt.text_weight:
        return []
    return [template.replace("{}", prompt.text) for template in prompt.templates] or [prompt.text]
