"""Prompt texts to vectors, each text once: the tokenizer of a checkpoint, its token limit, and a bounded cache."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from seesay.errors import ModelError, PromptError
from seesay.perception.embedded import Checkpoint
from seesay.perception.prompts import clean

if TYPE_CHECKING:
    import torch

_KEPT = 4096


class TextEncoder:
    """Encodes prompts with `tower`, which maps token ids `(Q, L) int64` to vectors `(Q, D) float32`, and keeps the results.
    Safe to use from several threads.

    Prompts are padded on the right to the longest only: the towers are causal, so padding never changes a vector.
    """

    def __init__(self, tokenizer: Any, limit: int, tower: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.limit = limit
        self.encoded = 0
        self._tokenizer = tokenizer
        self._tower = tower
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, torch.Tensor] = OrderedDict()

    def __call__(self, prompts: Sequence[str]) -> torch.Tensor:
        """`(Q, D) float32`, one row per prompt. Raises PromptError for an empty prompt and for one over the token limit."""
        texts = clean(prompts)
        with self._lock:
            return self._vectors(texts)

    def _vectors(self, texts: tuple[str, ...]) -> torch.Tensor:
        import torch

        missing = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if missing:
            vectors = self._tower(torch.tensor(self._tokens(missing)))
            self._kept.update(zip(missing, vectors, strict=True))
            self.encoded += len(missing)
        for text in texts:
            self._kept.move_to_end(text)
        rows = torch.stack([self._kept[text] for text in texts])
        while len(self._kept) > max(_KEPT, len(texts)):
            self._kept.popitem(last=False)
        return rows

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        rows: list[list[int]] = self._tokenizer(texts, truncation=False, padding=False, verbose=False)["input_ids"]
        for text, row in zip(texts, rows, strict=True):
            if len(row) > self.limit:
                raise PromptError(
                    f"expected at most {self.limit} tokens with start and end, got {len(row)} in the prompt {text!r}; say it in fewer words"
                )
        longest = max(len(row) for row in rows)
        pad = self._tokenizer.pad_token_id or 0
        return [row + [pad] * (longest - len(row)) for row in rows]


def check_end_token(checkpoint: Checkpoint, end: int | None = None) -> None:
    """Raise ModelError if the text tower, which pools at the token `end` (None: at the largest id), would not pool where a text ends:
    every prompt would give one and the same vector, or that of one of its words."""
    ids = checkpoint.tokenizer(["a"])["input_ids"][0]
    if end is None and ids[-1] != (largest := max(checkpoint.tokenizer.get_vocab().values())):
        raise ModelError(
            f"expected {largest}, the largest id, at the end of a text of {checkpoint.name!r}, got the tokens {ids}; correct tokenizer.json"
        )
    if end is not None and end not in ids:
        raise ModelError(f"expected the end token {end} in the tokens {ids} of {checkpoint.name!r}; correct eos_token_id in config.json")
