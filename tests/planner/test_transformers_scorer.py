"""The trie scorer against plain forward passes of the same model."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from seesay.errors import ModelError, SkillError  # noqa: E402
from seesay.planner.language import LanguageScorer  # noqa: E402
from seesay.planner.transformers_scorer import TransformersScorer  # noqa: E402
from tests.planner.tiny import LONG, PHRASES, SHORT, close  # noqa: E402


@pytest.mark.parametrize("context", [SHORT, LONG])
def test_equals_full_forward_passes(scorer: TransformersScorer, context: str) -> None:
    """Below and beyond the sliding window of 16 tokens."""
    assert scorer.tree
    assert isinstance(scorer, LanguageScorer)
    got = scorer.score(context, PHRASES, ".")
    assert close(got, scorer.score_naive(context, PHRASES, "."))
    assert len({round(value, 3) for value in got}) == len(PHRASES)


def test_cache_serves_steps_and_instructions(scorer: TransformersScorer) -> None:
    """Contexts that extend, fork and shrink; the cache must not leak into any score."""
    contexts = [LONG, LONG + PHRASES[0] + " 2. ", LONG + PHRASES[0] + " 2. " + PHRASES[1] + " 3. ", SHORT, LONG, "Human: "]
    for context in contexts:
        assert close(scorer.score(context, PHRASES, "."), scorer.score_naive(context, PHRASES, "."))


def test_only_new_tokens_go_through_the_network(scorer: TransformersScorer) -> None:
    scorer.score(LONG, PHRASES, ".")
    before = scorer.tokens_forwarded
    first = scorer.score(LONG, PHRASES, ".")
    again = scorer.tokens_forwarded - before
    scorer.score(LONG + "done ", PHRASES, ".")
    assert scorer.tokens_forwarded - before - again == again  # the new token takes the old last one's place
    fresh = TransformersScorer(scorer.model, scorer._tokenizer, tree=True)
    fresh.warm(LONG)
    before = fresh.tokens_forwarded
    assert close(fresh.score(LONG, PHRASES, "."), first)
    assert fresh.tokens_forwarded - before == again


@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_phrase_scores_alike_in_any_company_and_order(scorer: TransformersScorer, size: int) -> None:
    """PHRASES share no first token with `done`, so the scored part starts at the same place in every set that holds it."""
    whole = dict(zip(PHRASES, scorer.score(SHORT, PHRASES, "."), strict=True))
    chosen = ["done", *PHRASES[::-1][:size]]
    assert close(scorer.score(SHORT, chosen, "."), [whole[phrase] for phrase in chosen])


def test_terminator_is_scored(scorer: TransformersScorer) -> None:
    """Without it `pick up the coke` could never lose to `pick up the coke can`."""
    pair = ["pick up the coke", "pick up the coke can"]
    ended = scorer.score(SHORT, pair, ".")
    bare = scorer.score(SHORT, pair, "")
    assert bare[0] >= bare[1]
    assert ended[0] < bare[0]
    assert ended[1] < bare[1]


def test_product_law(scorer: TransformersScorer) -> None:
    """p(all words) sums to one at most, and p(ab) = p(a) p(b | a)."""
    words = ["red", "green", "blue", "block", "bowl", "done", "can", "a", "b", "c"]
    assert sum(math.exp(value) for value in scorer.score(SHORT, words, "")) <= 1.0
    first, both, other = scorer.score(SHORT, ["red", "red block", "green"], "")
    after, _ = scorer.score(SHORT + "red ", ["block", "done"], "")
    assert both == pytest.approx(first + after, abs=1e-4)
    assert other < 0


def test_one_bos_and_no_special_tokens_from_text(scorer: TransformersScorer) -> None:
    ids = scorer._encode(["<bos> put <eos>"])[0]
    bos, eos = scorer._tokenizer.bos_token_id, scorer._tokenizer.eos_token_id
    assert ids[0] == bos
    assert bos not in ids[1:]
    assert eos not in ids


def test_padded_fallback_gives_the_same_scores(gemma: Any, tokenizer: Any, scorer: TransformersScorer) -> None:
    padded = TransformersScorer(gemma, tokenizer, tree=False)
    assert close(padded.score(SHORT, PHRASES, "."), scorer.score(SHORT, PHRASES, "."))


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_other_families(tokenizer: Any, kind: str) -> None:
    torch.manual_seed(1)
    size = len(tokenizer)
    config = {
        "llama": lambda: transformers.LlamaConfig(
            vocab_size=size, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, bos_token_id=1
        ),
        "gpt2": lambda: transformers.GPT2Config(vocab_size=size, n_embd=32, n_layer=2, n_head=2, n_positions=256),
    }[kind]()
    scorer = TransformersScorer(transformers.AutoModelForCausalLM.from_config(config), tokenizer)
    assert close(scorer.score(LONG, PHRASES, "."), scorer.score_naive(LONG, PHRASES, "."))


def test_degenerate_input(scorer: TransformersScorer) -> None:
    assert scorer.score(SHORT, []) == []
    twice = scorer.score(SHORT, ["done", "done"], ".")
    assert twice[0] == twice[1]
    with pytest.raises(SkillError, match="empty"):
        scorer.score(SHORT, ["done", ""])
    with pytest.raises(SkillError, match="at most 256 tokens"):
        scorer.score("put " * 300, ["done"], ".")


def test_unreachable_model_is_one_sentence(tmp_path: Any) -> None:
    with pytest.raises(ModelError, match="packaged Gemma") as caught:
        TransformersScorer.from_pretrained(str(tmp_path))
    assert "\n" not in str(caught.value)
