"""Prompts as fused detectors read them: as phrases of one caption, or as classes beside a task. More than fits is split over several."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from seesay.errors import PromptError

Row = list[int]


@dataclass
class Caption:
    """Token ids of a caption, and where in them each prompt's tokens stand, by the prompt's index."""

    ids: Row
    spans: dict[int, slice] = field(default_factory=dict)


class Captions:
    """Writes prompts as Hugging Face's Grounding DINO processor does, "a cat. a dog.", and knows the place of every phrase.

    separators: ids of the tokens that part phrases: start, end, "." and "?". limit: tokens of a caption.
    """

    def __init__(self, tokenizer: Any, limit: int, separators: Set[int]) -> None:
        self._tokenizer = tokenizer
        self._limit = limit
        self._separators = separators
        self._start, self._stop, self._end = tokenizer(".")["input_ids"]

    def __call__(self, prompts: Sequence[str]) -> list[Caption]:
        """As few captions as hold all prompts in their order. Raises PromptError for a prompt that fits none."""
        captions = [Caption([self._start])]
        for index, prompt in enumerate(prompts):
            phrase = self._phrase(prompt)
            if len(captions[-1].ids) + len(phrase) + 2 > self._limit:
                captions.append(Caption([self._start]))
            caption = captions[-1]
            caption.spans[index] = slice(len(caption.ids), len(caption.ids) + len(phrase))
            caption.ids += [*phrase, self._stop]
        for caption in captions:
            caption.ids.append(self._end)
        return captions

    def _phrase(self, prompt: str) -> Row:
        ids: Row = self._tokenizer(prompt.lower(), add_special_tokens=False, verbose=False)["input_ids"]
        if not ids or not self._separators.isdisjoint(ids):
            raise PromptError(f"expected words without '.' and '?', which part the prompts of this model, got {prompt!r}; leave them out")
        _check_length(len(ids) + 3, self._limit, prompt)
        return ids


@dataclass(frozen=True)
class Texts:
    """Classes and the task that names them, each as (token ids, attention mask), padded to one length."""

    classes: list[tuple[Row, Row]]
    task: tuple[Row, Row]


class Classes:
    """Writes prompts as Hugging Face's OmDet-Turbo processor does, but never cuts a task short: it names no more classes than it holds."""

    def __init__(self, tokenizer: Any, limit: int) -> None:
        self._tokenizer = tokenizer
        self._limit = limit

    def __call__(self, prompts: Sequence[str]) -> list[tuple[int, Texts]]:
        """(index of the first prompt, texts) of each task, all prompts in their order. Raises PromptError for a prompt that fits none."""
        rows = [self._ids(prompt) for prompt in prompts]
        texts: list[tuple[int, Texts]] = []
        first = 0
        while first < len(prompts):
            last = len(prompts)
            while len(task := self._ids(f"Detect {', '.join(prompts[first:last])}.")) > self._limit:
                if last == first + 1:
                    _check_length(len(task), self._limit, prompts[first])
                last = first + (last - first) // 2
            texts.append((first, Texts([self._padded(row) for row in rows[first:last]], self._padded(task))))
            first = last
        return texts

    def _ids(self, text: str) -> Row:
        ids: Row = self._tokenizer(text, verbose=False)["input_ids"]
        return ids

    def _padded(self, ids: Row) -> tuple[Row, Row]:
        blank = self._limit - len(ids)
        return ids + [self._tokenizer.pad_token_id or 0] * blank, [1] * len(ids) + [0] * blank


def _check_length(length: int, limit: int, prompt: str) -> None:
    if length > limit:
        raise PromptError(f"expected at most {limit} tokens with what goes around, got {length} in {prompt!r}; say it in fewer words")
