"""A tiny random Gemma 3 with a word tokenizer."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

WORDS = """
    <unk> <bos> <eos> pick up put down the red green blue block bowl in on and place it coke can done . 1 2 , : Human Robot a b c
""".split()  # noqa: SIM905 a list of one word per line hides what it is


PHRASES = [
    f"pick up the {block} block and place it {where}"
    for block, where in itertools.product(["red", "green"], ["in the red bowl", "in the green bowl", "on the blue block"])
]
PHRASES += ["done", "pick up the coke", "pick up the coke can"]
SHORT = "Human: put the red block in the green bowl Robot: 1. "
LONG = "Human: pick up the coke can Robot: 1. pick up the coke can 2. done " * 6 + SHORT


def close(a: list[float], b: list[float]) -> bool:
    return len(a) == len(b) and max(abs(x - y) for x, y in zip(a, b, strict=True)) < 1e-4


def tiny_tokenizer() -> Any:
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<bos>", eos_token="<eos>", unk_token="<unk>")


def tiny_gemma(sliding_window: int = 16, seed: int = 0) -> Any:
    """Gemma 3 for text with both kinds of layers and a short window, random weights large enough to spread the scores."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    torch.manual_seed(seed)
    config = transformers.Gemma3TextConfig(
        vocab_size=len(WORDS), hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=2, num_key_value_heads=1,
        head_dim=16, sliding_window=sliding_window, max_position_embeddings=256, query_pre_attn_scalar=16,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    )
    model = transformers.Gemma3ForCausalLM(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model
