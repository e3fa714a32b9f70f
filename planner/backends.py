"""Which language model scores the phrases, by one word: a model on this machine or a server."""

from __future__ import annotations

from seesay.planner.language import LanguageScorer
from seesay.planner.lengths import Length, LengthScorer


def load_scorer(lm: str = "gemma3-270m", threads: int | None = None, length: Length = "sum") -> LanguageScorer:
    """The scorer that `--lm` names.

    lm: "gemma3-270m" for the packaged Gemma 3 270M; a Hugging Face id; a folder; a GGUF file; or an OpenAI-compatible completions server
    that echoes log-probabilities, as URL, URL#MODEL or URL#MODEL#TOKENIZER, for example "http://localhost:8000/v1#google/gemma-3-270m".
    With a tokenizer (a Hugging Face id or a folder) a server gets token ids instead of text.
    length: how a phrase's length counts, see LengthScorer; "sum" is SayCan's. threads: CPU threads of a model on this machine; None
    leaves torch's own choice.
    Raises ModelError if the model cannot be had, ConfigError for an address that is not one. A server is first asked when it is used.
    """
    scorer = _load(lm, threads)
    return scorer if length == "sum" else LengthScorer(scorer, length)


def _load(lm: str, threads: int | None) -> LanguageScorer:
    if "://" in lm:
        from seesay.planner.local_model import load_tokenizer
        from seesay.planner.server_scorer import ServerScorer

        url, model, tokenizer, *_ = [*lm.split("#"), "", ""]
        return ServerScorer(url, model, load_tokenizer(tokenizer) if tokenizer else None)
    from seesay.planner.transformers_scorer import TransformersScorer

    return TransformersScorer.from_pretrained(lm, threads)
