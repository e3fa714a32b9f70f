"""Exact scores of phrases from a causal language model of Hugging Face transformers, on this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seesay.errors import ModelError, SkillError
from seesay.planner.gemma import gemma_path
from seesay.planner.trie import Trie, build_trie, common_prefix

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
        self._model = model.eval()
        self._tokenizer = tokenizer
        self.name = name or str(model.config._name_or_path or type(model).__name__)
        self._config = model.config.get_text_config(decoder=True)
        self._cached: list[int] = []
        self._keys_values: list[tuple[Any, Any]] = []
        self.tokens_forwarded = 0
        self.tree = self._tree_agrees() if tree is None else tree

    @classmethod
    def from_pretrained(cls, model: str = "gemma3-270m", threads: int | None = None) -> TransformersScorer:
        """Load a model in float32.

        model: "gemma3-270m" for the packaged one (converted into the cache at first use), else a Hugging Face id or a path.
        threads: number of CPU threads for torch in this process; None leaves it.
        Raises ModelError if the model cannot be had.
        """
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        if threads:
            torch.set_num_threads(threads)
        packaged = model == "gemma3-270m"
        path = str(gemma_path()) if packaged else model
        local = packaged or Path(path).exists()
        try:
            with _quiet():
                tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=local)
                weights = AutoModelForCausalLM.from_pretrained(path, local_files_only=local, dtype=torch.float32)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelError(
                f"the language model {model!r} is neither a readable folder nor a Hugging Face model in the cache or within reach "
                f"({reason}): check the name or the network, or leave it out to use the packaged Gemma 3 270M"
            ) from error
        return cls(weights, tokenizer, name=model, tree=True if packaged else None)

    def score(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[float]:
        """Natural log p(phrase + terminator | context) of each phrase; see LanguageScorer.

        Context and phrase are tokenised as one text; if tokens merge across the boundary, the scored part begins at the last token
        that all phrases share with the context. Raises SkillError if a phrase is empty or a text exceeds the model's limit.
        """
        if not phrases:
            return []
        if not all(phrases):
            raise SkillError("expected phrases of at least one character, got an empty one: correct the skill library")
        texts, start = self._tokenise(context, phrases, terminator)
        if not self.tree:
            return self._score_batch(texts, start)
        trie = build_trie([ids[start:] for ids in texts])
        return self._score_trie(texts[0][:start], trie)

    def score_naive(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[float]:
        """The same scores by one full forward pass per phrase: slow, the reference of the tests and benchmarks."""
        texts, start = self._tokenise(context, phrases, terminator)
        return [self._score_batch([ids], start)[0] for ids in texts]

    def warm(self, context: str) -> None:
        """Run the context through the network and keep its keys and values, so that the next score is quick."""
        if self.tree:
            ids = self._encode([context])[0]
            self._score_trie(ids[:-1], build_trie([ids[-1:]]))

    def _encode(self, texts: list[str]) -> list[list[int]]:
        """Token ids with exactly one beginning-of-sequence token where the model has one; text never becomes a special token."""
        bos = self._tokenizer.bos_token_id
        coded = self._tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return [ids if bos is None else [bos, *ids] for ids in coded]

    def _tokenise(self, context: str, phrases: Sequence[str], terminator: str) -> tuple[list[list[int]], int]:
        """Ids of every whole text, and where the scored part starts (at least one token before it)."""
        head, *texts = self._encode([context, *(context + phrase + terminator for phrase in phrases)])
        limit = getattr(self._config, "max_position_embeddings", None)
        longest = max(map(len, texts))
        if limit and longest > limit:
            raise SkillError(f"the language model takes at most {limit} tokens, got {longest}: shorten the instruction or the prompt")
        start = min(common_prefix([head, ids]) for ids in texts)
        start = min(start, *(len(ids) - 1 for ids in texts))
        if start < 1:
            raise SkillError("expected a context of at least one token before the phrases: give the prompt some text")
        return texts, start

    def _score_trie(self, context: list[int], trie: Trie) -> list[float]:
        """One forward pass over the new end of the context followed by the nodes of the trie."""
        import torch
        from transformers import DynamicCache

        root = len(context) - 1
        held = min(common_prefix([self._cached, context]), root)
        chain = context[held:]
        ids = torch.tensor([[*chain, *trie.nodes]], device=self._model.device)
        depths = torch.tensor(trie.depths, dtype=torch.long)
        positions = torch.cat([torch.arange(held, len(context)), root + depths]).to(ids.device)
        wanted = sorted({node for node, _ in trie.edges})
        past = [(k[:, :, :held], v[:, :, :held]) for k, v in self._keys_values] if held else None
        with torch.inference_mode():
            output = self._model(
                input_ids=ids,
                position_ids=positions[None],
                attention_mask=self._masks(held, len(chain), trie, positions),
                past_key_values=DynamicCache(past),
                use_cache=True,
                logits_to_keep=torch.tensor([len(chain) + node for node in wanted], device=ids.device),
            )
            logits = output.logits[0].float()
            rows = torch.tensor([wanted.index(node) for node, _ in trie.edges], device=logits.device)
            columns = torch.tensor([token for _, token in trie.edges], device=logits.device)
            edges = (logits[rows, columns] - torch.logsumexp(logits, dim=-1)[rows]).double().cpu()
            self._keys_values = [
                (layer.keys[:, :, : len(context)].clone(), layer.values[:, :, : len(context)].clone())
                for layer in output.past_key_values.layers
            ]
        self._cached = list(context)
        self.tokens_forwarded += ids.shape[1]
        return [min(float(edges[list(path)].sum()), 0.0) for path in trie.paths]

    def _masks(self, held: int, chain: int, trie: Trie, positions: Any) -> Any:
        """Additive masks (1, 1, T, held + T) float32: a token sees the context before it and its own ancestors in the trie.

        Models with sliding layers get one mask per kind of layer, the sliding one cut at the window by position.
        """
        import torch

        size = chain + len(trie.nodes)
        seen = torch.zeros(size, held + size, dtype=torch.bool)
        seen[:, :held] = True
        seen[:chain, held : held + chain] = torch.ones(chain, chain, dtype=torch.bool).tril()
        for node, parent in enumerate(trie.parents):
            row = chain + node
            seen[row] = seen[chain + parent]
            seen[row, held + row] = True
        seen = seen.to(positions.device)
        kinds = set(getattr(self._config, "layer_types", None) or ["full_attention"])
        additive = {"full_attention": _additive(seen)}
        if "sliding_attention" in kinds:
            at = torch.cat([torch.arange(held, device=positions.device), positions])
            near = positions[:, None] - at[None, :] < self._config.sliding_window
            additive["sliding_attention"] = _additive(seen & near)
        return additive if kinds != {"full_attention"} else additive["full_attention"]

    def _score_batch(self, texts: list[list[int]], start: int) -> list[float]:
        """Full forward passes of whole texts as one right-padded batch, without any cache."""
        import torch

        longest = max(map(len, texts))
        ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts], device=self._model.device)
        mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts], device=self._model.device)
        with torch.inference_mode():
            keep = torch.arange(start - 1, longest - 1, device=ids.device)
            logits = self._model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=keep).logits.float()
            logp = logits.gather(2, ids[:, start:, None])[..., 0] - torch.logsumexp(logits, dim=-1)
            total = (logp * mask[:, start:]).double().sum(dim=1)
        self.tokens_forwarded += ids.numel()
        return [min(value, 0.0) for value in total.tolist()]

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
            self._cached, self._keys_values = [], []
        slow = self.score_naive(*probe)
        agrees = max(abs(a - b) for a, b in zip(quick, slow, strict=True)) < 1e-3
        if not agrees:
            _log.warning("%s gives other scores with tree attention: phrases are scored by full forward passes", self.name)
        return agrees


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars of transformers."""
    from transformers.utils import logging as bars

    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()  # type: ignore[no-untyped-call]


def _additive(seen: Any) -> Any:
    """(T, S) bool to an additive float32 mask (1, 1, T, S): 0 where seen, the lowest finite number elsewhere."""
    import torch

    return torch.zeros(seen.shape, device=seen.device).masked_fill(~seen, torch.finfo(torch.float32).min)[None, None]
