"""Exact scores of phrases from a causal language model of Hugging Face transformers, on this machine."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Any

from seesay.errors import ContextError, SkillError
from seesay.planner.language import Best
from seesay.planner.local_model import PACKAGED, load_model
from seesay.planner.search import best_first
from seesay.planner.tree import TreeRunner
from seesay.planner.trie import ROOT, build_trie, common_prefix

MOST_POSITIONS = 512
"""Positions of one padded batch at which the vocabulary head runs: 0.5 GB of logits with 260,000 words."""
_log = logging.getLogger(__name__)


class TransformersScorer:
    """LanguageScorer over a causal model.

    All phrases go through the network once, as one token trie with tree attention after the part of the context that the previous
    call did not hold: keys and values of the context are kept for the life of the scorer. The vocabulary head runs only where a
    phrase's token follows. Equal to one full forward pass per phrase up to float32 rounding.
    Not thread-safe: one scorer serves one thread.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str = "", tree: bool | None = None) -> None:
        """model: a transformers causal model, float32 for exact scores. tokenizer: its tokenizer, fast or slow.

        tree: whether tree attention is used; None tries it on a short text, and falls back to one padded batch of full forward
        passes for models whose attention cannot take it.
        """
        self.model = model.eval()
        self._tokenizer = tokenizer
        self.name = name or str(model.config._name_or_path or type(model).__name__)
        self._limit: int = getattr(model.config.get_text_config(decoder=True), "max_position_embeddings", None) or sys.maxsize
        self._runner = TreeRunner(self.model)
        self._padded_tokens = 0
        self.tree = self._tree_agrees() if tree is None else tree

    @classmethod
    def from_pretrained(cls, model: str = PACKAGED, threads: int | None = None) -> TransformersScorer:
        """The scorer of a model that `local_model.load_model` finds: same arguments, same errors."""
        weights, tokenizer = load_model(model, threads)
        return cls(weights, tokenizer, name=model, tree=True if model == PACKAGED else None)

    def score(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[float]:
        """Natural log p(phrase + terminator | context) of each phrase; see LanguageScorer.

        Context and phrase are tokenised as one text; if tokens merge across the boundary, the scored part begins at the last token
        that all phrases share with the context. Raises SkillError if a phrase is empty, ContextError if a text exceeds the model's limit.
        """
        return [min(sum(tokens), 0.0) for tokens in self.score_tokens(context, phrases, terminator)]

    def score_tokens(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[tuple[float, ...]]:
        """Natural log p of every token of each phrase with its terminator, given all tokens before it; `score` is their sum."""
        if not phrases:
            return []
        texts, start = self.tokenise(context, phrases, terminator)
        if not self.tree:
            rows = max(1, MOST_POSITIONS // (max(map(len, texts)) - start))
            return [each for first in range(0, len(texts), rows) for each in self.score_batch(texts[first : first + rows], start)]
        trie = build_trie([ids[start:] for ids in texts])
        self._runner.start(texts[0][:start], trie)
        edges = self._runner.expand([ROOT, *range(len(trie.nodes))])
        return [tuple(edges[edge] for edge in path) for path in trie.paths]

    def best(self, context: str, phrases: Sequence[str], log_weights: Sequence[float], terminator: str = "\n") -> Best:
        """The phrase with the greatest log p + weight by exact best-first search; see `language.best_of`. Weights are finite."""
        if not self.tree or not phrases:
            got = self.score(context, phrases, terminator)
            totals = [log_p + weight for log_p, weight in zip(got, log_weights, strict=True)]
            return Best(totals.index(max(totals)) if totals else None, tuple(got), (True,) * len(got))
        texts, start = self.tokenise(context, phrases, terminator)
        trie = build_trie([ids[start:] for ids in texts])
        self._runner.start(texts[0][:start], trie)
        index, bounds, exact = best_first(trie, log_weights, self._runner.expand)
        return Best(index, tuple(bounds), tuple(exact))

    def score_naive(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[float]:
        """The same scores by one full forward pass per phrase: slow, the reference of the tests and benchmarks."""
        texts, start = self.tokenise(context, phrases, terminator)
        return [sum(self.score_batch([ids], start)[0]) for ids in texts]

    def warm(self, context: str) -> None:
        """Run the context through the network and keep its keys and values, so that the next score is quick."""
        ids = self._encode([context])[0]
        if self.tree and 1 < len(ids) <= self._limit:
            self._runner.start(ids[:-1], build_trie([ids[-1:]]))
            self._runner.expand([ROOT])

    @property
    def tokens_forwarded(self) -> int:
        """Tokens that went through the network so far, padding among them."""
        return self._runner.tokens_forwarded + self._padded_tokens

    def _encode(self, texts: list[str]) -> list[list[int]]:
        """Token ids with exactly one beginning-of-sequence token where the model has one; text never becomes a special token."""
        bos = self._tokenizer.bos_token_id
        coded = self._tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return [ids if bos is None else [bos, *ids] for ids in coded]

    def tokenise(self, context: str, phrases: Sequence[str], terminator: str) -> tuple[list[list[int]], int]:
        """Token ids of every whole text, and where the scored part starts (at least one token before it)."""
        if not all(phrases):
            raise SkillError("expected phrases of at least one character, got an empty one: correct the skill library")
        if context.endswith(" ") and any(phrase.startswith(" ") for phrase in phrases):
            raise SkillError("expected one blank between prompt and phrase, got one from each: take it off the phrases")
        head, *texts = self._encode([context, *(context + phrase + terminator for phrase in phrases)])
        longest = max(map(len, texts))
        if longest > self._limit:
            raise ContextError(f"{self.name} takes at most {self._limit} tokens, got {longest}: shorten the instruction or the prompt")
        start = min(common_prefix([head, ids]) for ids in texts)
        start = min(start, *(len(ids) - 1 for ids in texts))
        if start < 1:
            raise SkillError("expected a context of at least one token before the phrases: give the prompt some text")
        return texts, start

    def score_batch(self, texts: list[list[int]], start: int) -> list[tuple[float, ...]]:
        """Natural log p of each token from `start` on, by full forward passes of whole texts as one right-padded batch."""
        import torch

        longest = max(map(len, texts))
        ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts], device=self.model.device)
        mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts], device=self.model.device)
        with torch.inference_mode():
            keep = torch.arange(start - 1, longest - 1, device=ids.device)
            logits = self.model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=keep).logits.float()
            log_p = (logits.gather(2, ids[:, start:, None])[..., 0] - torch.logsumexp(logits, dim=-1)).double().tolist()
        self._padded_tokens += ids.numel()
        return [tuple(row[: len(text) - start]) for row, text in zip(log_p, texts, strict=True)]

    def _tree_agrees(self) -> bool:
        """Whether tree attention gives this model the scores of plain forward passes."""
        probe = ("1. put it down\n2.", [" put it up", " done"])
        try:
            self.tree = True
            quick = self.score(*probe)
        except (TypeError, ValueError, RuntimeError, KeyError, AttributeError, IndexError) as error:
            _log.warning("%s cannot take tree attention (%s): phrases are scored by full forward passes", self.name, error)
            return False
        finally:
            self._runner.forget()
        slow = self.score_naive(*probe)
        agrees = max(abs(a - b) for a, b in zip(quick, slow, strict=True)) < 1e-3
        if not agrees:
            _log.warning("%s gives other scores with tree attention: phrases are scored by full forward passes", self.name)
        return agrees
