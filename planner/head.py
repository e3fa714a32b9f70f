"""The vocabulary head of a language model in blocks: log-probabilities of a few tokens without ever holding all logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BLOCK = 4096
"""Words of the vocabulary per block: 128 rows of logits then fit into a processor's cache, which the sum of exponentials needs at once."""


class Head:
    """log softmax(W h) of chosen tokens, for models whose logits are no more than that product."""

    def __init__(self, model: Any) -> None:
        """model: a transformers causal model."""
        self._weight = model.get_output_embeddings().weight

    def log_p(self, hidden: Any, tokens: Sequence[Sequence[int]]) -> list[list[float]]:
        """Natural log p of some tokens after each row of `hidden`, (N, width) in the model's dtype, final norm applied."""
        import torch

        size = self._weight.shape[0]
        logits = torch.empty(hidden.shape[0], min(BLOCK, size), dtype=hidden.dtype, device=hidden.device)
        parts = []
        for first in range(0, size, BLOCK):
            block = self._weight[first : first + BLOCK]
            parts.append(torch.logsumexp(torch.mm(hidden, block.T, out=logits[:, : block.shape[0]]).float(), 1).double())
        whole = torch.logsumexp(torch.stack(parts), 0)
        of = torch.tensor([row for row, wanted in enumerate(tokens) for _ in wanted], device=hidden.device)
        chosen = self._weight[torch.tensor([token for wanted in tokens for token in wanted], device=hidden.device)]
        flat = iter(((hidden[of].double() * chosen.double()).sum(1) - whole[of]).tolist())
        return [[next(flat) for _ in wanted] for wanted in tokens]


def head_of(model: Any) -> Head | None:
    """The head in blocks, None where the model's own logits say otherwise (a bias, a soft cap, a scale, another body)."""
    import torch

    probe = torch.tensor([[1, 2, 3]], device=model.device)
    try:
        with torch.inference_mode():
            logits = model(probe, use_cache=False).logits[0].double()
            hidden = model.base_model(probe, use_cache=False).last_hidden_state[0]
            some = range(0, logits.shape[1], max(1, logits.shape[1] // 500))
            got = torch.tensor(Head(model).log_p(hidden, [some] * 3), dtype=torch.double, device=logits.device)
            return Head(model) if torch.allclose(got, torch.log_softmax(logits, -1)[:, list(some)], atol=1e-3) else None
    except (AttributeError, TypeError, RuntimeError, IndexError, ValueError, KeyError):
        return None
