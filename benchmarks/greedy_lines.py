"""What a language model writes by itself as the next line: the most probable token each time, until the line ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.kept_scores import Kept

Write = Callable[[str], str]
"""The line that follows a context, without its end."""
MOST_TOKENS = 24


class GreedyLines:
    """A causal model of transformers. The blank before the line is the model's to write, as in its training text."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer = model, tokenizer
        self.tokens_forwarded = 0

    def __call__(self, context: str) -> str:
        import torch

        tokenizer = self._tokenizer
        ids = tokenizer(context.rstrip(" "), add_special_tokens=False, split_special_tokens=True)["input_ids"]
        if tokenizer.bos_token_id is not None:
            ids = [tokenizer.bos_token_id, *ids]
        start = torch.tensor([ids], device=self._model.device)

        def ended(written: Any, _: Any) -> Any:
            return torch.tensor(["\n" in tokenizer.decode(written[0, -1:])], device=written.device)

        with torch.inference_mode():
            whole = self._model.generate(
                start, attention_mask=torch.ones_like(start), max_new_tokens=MOST_TOKENS, do_sample=False, top_k=None, top_p=None,
                stopping_criteria=[ended],
            )[0].tolist()  # fmt: skip
        self.tokens_forwarded += len(whole) - 1
        text: str = tokenizer.decode(whole[len(ids) :], skip_special_tokens=True)
        return text.strip(" ").split("\n")[0].strip()


class KeptLines:
    """A writer that asks the model which `load` makes only for contexts that are not known yet; see `KeptScores`."""

    def __init__(self, name: str, load: Callable[[], Write], path: Path | None = None) -> None:
        self._name, self._load, self._kept = name, load, Kept(path, "line")
        self._model: Write | None = None

    def __call__(self, context: str) -> str:
        line: str = self._kept.get([self._name, context], lambda: self._loaded()(context))
        return line

    def _loaded(self) -> Write:
        self._model = self._model or self._load()
        return self._model
