"""The head in blocks: equal to the model's own logits, or not used."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from seesay.planner import head  # noqa: E402
from seesay.planner.transformers_scorer import TransformersScorer  # noqa: E402
from tests.planner.tiny import PHRASES, SHORT, WORDS, close  # noqa: E402


@pytest.mark.parametrize("block", [1, 7, 16, 4096])
def test_blocks_do_not_change_scores(gemma: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """A vocabulary that the block divides, does not divide, or exceeds."""
    monkeypatch.setattr(head, "BLOCK", block)
    assert head.head_of(gemma) is not None
    scorer = TransformersScorer(gemma, tokenizer, tree=True)
    assert close(scorer.score(SHORT, PHRASES, "."), scorer.score_naive(SHORT, PHRASES, "."))


@pytest.mark.parametrize("kind", ["soft cap", "bias"])
def test_heads_that_do_more_are_left_to_the_model(tokenizer: Any, kind: str) -> None:
    torch.manual_seed(1)
    common = {"vocab_size": len(WORDS), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    if kind == "soft cap":
        config = transformers.Gemma2Config(**common, num_key_value_heads=1, head_dim=16, final_logit_softcapping=0.5, pad_token_id=0)
    else:
        config = transformers.PhiConfig(**common, pad_token_id=None)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    assert head.head_of(model) is None
    scorer = TransformersScorer(model, tokenizer)
    assert close(scorer.score(SHORT, PHRASES, "."), scorer.score_naive(SHORT, PHRASES, "."))
