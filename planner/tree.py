"""Tree attention: a causal model run over one context and a token trie after it, with keys and values kept between calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from seesay.planner.head import head_of
from seesay.planner.trie import ROOT, Trie, common_prefix

BLOCK = 256
"""Most tokens in one forward pass, which bounds the memory of masks and logits."""


class _Row(NamedTuple):
    """A token to forward. It sees the first `prefix` rows, the rows `line`, and itself; `node`: whose edges are wanted after it."""

    token: int
    position: int
    prefix: int
    line: list[int]
    node: int | None


class TreeRunner:
    """Log-probabilities of the edges of a trie, node by node.

    Keys and values of the context live as long as the runner: a context that shares its start with the last one costs only its new
    tokens. `tokens_forwarded` counts every token that ever went through the network. Not thread-safe.
    """

    def __init__(self, model: Any) -> None:
        """model: a transformers causal model whose attention takes a 4-D mask, in evaluation mode."""
        self._model = model
        self._head = head_of(model)
        self._config = model.config.get_text_config(decoder=True)
        self._context: list[int] = []
        self._trie: Trie | None = None
        self._row: dict[int, int] = {}
        self._positions: list[int] = []
        self._past: list[tuple[Any, Any]] = []
        self.tokens_forwarded = 0

    def start(self, context: list[int], trie: Trie) -> None:
        """Begin a trie after `context` (at least one token); drops what is kept of another context's different end."""
        held = min(common_prefix([self._context, context]), len(self._positions), len(context) - 1)
        self._past = [(keys[:, :, :held].clone(), values[:, :, :held].clone()) for keys, values in self._past] if held else []
        self._positions = list(range(held))
        self._context, self._trie, self._row = list(context), trie, {}

    def forget(self) -> None:
        """Drop everything that is kept."""
        self._context, self._positions, self._past, self._row, self._trie = [], [], [], {}, None

    def expand(self, nodes: Sequence[int]) -> dict[int, float]:
        """Natural log p of every edge that leaves the given nodes, by the edge's index.

        ROOT stands first in the first call and in no other; a node's parent has been expanded before, or stands before it.
        """
        trie = self._trie
        if trie is None:
            raise RuntimeError("expected start() before expand()")
        size, done = len(self._context), len(self._positions)
        rows = [_Row(self._context[at], at, at, [], ROOT if at == size - 1 else None) for at in range(done, size)]
        for node in nodes:
            if node != ROOT:
                self._row[node] = done + len(rows)
                rows.append(_Row(trie.nodes[node], size - 1 + trie.depths[node], size, [*self._line(trie.parents[node], trie)], node))
        found: dict[int, float] = {}
        try:
            for start in range(0, len(rows), BLOCK):
                found |= self._forward(rows[start : start + BLOCK], trie)
        except BaseException:
            self.forget()   # what is kept may be half of a pass
            raise
        return found

    def _line(self, node: int, trie: Trie) -> Iterator[int]:
        """Rows of a node and its ancestors below the root."""
        while node != ROOT:
            yield self._row[node]
            node = trie.parents[node]

    def _forward(self, rows: list[_Row], trie: Trie) -> dict[int, float]:
        import torch
        from transformers import DynamicCache

        device = self._model.device
        self._positions += [row.position for row in rows]
        headed = [(i, row.node) for i, row in enumerate(rows) if row.node is not None]
        keep = torch.tensor([i for i, _ in headed] or [len(rows) - 1], device=device)
        edges = [trie.leaving(node) for _, node in headed]
        tokens = [[trie.edges[edge][1] for edge in leaving] for leaving in edges]
        inputs = {
            "input_ids": torch.tensor([[row.token for row in rows]], device=device),
            "position_ids": torch.tensor([[row.position for row in rows]], device=device),
            "attention_mask": self._masks(rows),
            "past_key_values": DynamicCache(self._past or None),
            "use_cache": True,
        }
        with torch.inference_mode():
            if self._head is not None:
                output = self._model.base_model(**inputs)
                values = self._head.log_p(output.last_hidden_state[0, keep[: len(headed)]], tokens) if headed else []
            else:
                output = self._model(**inputs, logits_to_keep=keep)
                values = [
                    (logits[wanted].double() - torch.logsumexp(logits.float(), 0).double()).tolist()
                    for logits, wanted in zip(output.logits[0], tokens, strict=False)
                ]
        self._past = [(layer.keys, layer.values) for layer in output.past_key_values.layers]
        self.tokens_forwarded += len(rows)
        return {edge: value for leaving, row in zip(edges, values, strict=True) for edge, value in zip(leaving, row, strict=True)}

    def _masks(self, rows: list[_Row]) -> Any:
        """Additive masks (1, 1, T, S) in the model's dtype, for the last T of S rows.

        Models with sliding layers get one mask per kind of layer, the sliding one cut at the window by position.
        """
        import torch

        total, new = len(self._positions), len(rows)
        seen = torch.zeros(new, total, dtype=torch.bool)
        for i, row in enumerate(rows):
            seen[i, : row.prefix] = True
            seen[i, [*row.line, total - new + i]] = True
        kinds = set(getattr(self._config, "layer_types", None) or ["full_attention"])
        masks = {"full_attention": self._additive(seen)}
        if "sliding_attention" in kinds:
            at = torch.tensor(self._positions)
            near = at[-new:, None] - at[None, :] < self._config.sliding_window
            masks["sliding_attention"] = self._additive(seen & near)
        return masks if kinds != {"full_attention"} else masks["full_attention"]

    def _additive(self, seen: Any) -> Any:
        """(T, S) bool to an additive mask (1, 1, T, S): 0 where seen, the lowest finite number elsewhere."""
        import torch

        lowest = torch.finfo(self._model.dtype).min
        return torch.zeros(seen.shape, dtype=self._model.dtype).masked_fill(~seen, lowest)[None, None].to(self._model.device)

