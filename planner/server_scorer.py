"""Scores of phrases from an OpenAI-compatible completions server that echoes log-probabilities, such as vLLM."""

from __future__ import annotations

import json
import math
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPException
from typing import Any, NamedTuple

from seesay.errors import ConfigError, ContextError, ModelError, SkillError
from seesay.planner.trie import common_prefix

KEY = "SEESAY_LM_KEY"
"""Environment variable with the server's API key, sent as a bearer token."""
BATCH = 32
LARGEST = 64 << 20
ATTEMPTS = 3
PASSING = {429, 502, 503, 504}

Prompt = str | list[int]


class _Echo(NamedTuple):
    """Tokens of a prompt as the server writes them, and the natural log-probability of each (0 for the first)."""

    tokens: list[str]
    log_p: tuple[float, ...]


def _is_log_p(value: float) -> bool:
    """Whether a number of any size is a log-probability as a float: no NaN, no whole number beyond all floats."""
    return value == -math.inf or -sys.float_info.max <= value <= 0.0


class ServerScorer:
    """LanguageScorer over `POST {url}/completions` with `echo` and `logprobs`.

    Every answer is checked before it is believed: one choice for each prompt by its index, as many entries as tokens, log-probabilities
    that are numbers of at most 0, none missing but the very first, and not 0 throughout, as servers without echo report.
    """

    def __init__(self, url: str, model: str = "", tokenizer: Any = None, timeout_s: float = 60.0) -> None:
        """url: up to and including `/v1`. model: as the server names it; its only model if empty, then asked for at the first call.

        tokenizer: a transformers tokenizer of the model; prompts then go as token ids with exactly one beginning-of-sequence token.
        Without it prompts go as text, and the server's tokenizer adds that token. timeout_s: for each request.
        Raises ConfigError for a URL that is not http or https.
        """
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"expected the address of a server such as http://localhost:8000/v1, got {url!r}; correct --lm")
        self._url = url.rstrip("/")
        self._where = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
        self._model = model
        self._tokenizer = tokenizer
        self._timeout_s = timeout_s

    @property
    def name(self) -> str:
        return f"{self._model or 'language model'} at {self._where}"

    def warm(self, context: str) -> None:
        """Ask once, so that a server that cannot serve is refused before a task begins; it keeps its own cache."""
        with suppress(ContextError):   # the answer of one that can
            self.score(context, ["a", "b"])

    def score(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[float]:
        """Natural log p(phrase + terminator | context); see LanguageScorer.

        Raises ModelError if the server is gone or its answer cannot be right, ContextError if it finds the prompt too long.
        """
        return [min(sum(tokens), 0.0) for tokens in self.score_tokens(context, phrases, terminator)]

    def score_tokens(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[tuple[float, ...]]:
        """Natural log p of every token of each phrase with its terminator; `score` is their sum."""
        if not phrases:
            return []
        if not context or not all(phrases):
            raise SkillError("expected a prompt and phrases of at least one character, got an empty one: correct the skill library")
        texts = [context, *(context + phrase + terminator for phrase in phrases)]
        prompts: list[Prompt] = [*texts] if self._tokenizer is None else [*map(self._encode, texts)]
        answers: list[_Echo] = []
        for first in range(0, len(prompts), BATCH):
            answers += self._echo(prompts[first : first + BATCH])
        head, *rest = answers
        start = min(common_prefix([head.tokens, answer.tokens]) for answer in rest)
        start = max(1, min(start, *(len(answer.tokens) - 1 for answer in rest)))
        scores = [answer.log_p[start:] for answer in rest]
        zero = [not any(tokens) for tokens in scores]
        if all(zero) and (len(set(phrases)) > 1 or not any(head.log_p[1:])):
            raise self._wrong("every log-probability is 0, which is how servers that cannot echo them answer")
        if any(zero) and len(set(phrases)) > 1:
            raise self._wrong(f"{phrases[zero.index(True)]!r} is certain although other phrases could follow")
        ends = bool(terminator) and not any(terminator in phrase for phrase in phrases)
        total = sum(math.exp(p) for p in {phrase: sum(tokens) for phrase, tokens in zip(phrases, scores, strict=True)}.values())
        if ends and total > 1.001:   # no two of them can follow at once
            raise self._wrong(f"the probabilities of {len(set(phrases))} different phrases add up to {total:.3g}")
        return scores

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        bos = self._tokenizer.bos_token_id
        return ids if bos is None else [bos, *ids]

    def _echo(self, prompts: list[Prompt]) -> list[_Echo]:
        """The log-probabilities of the prompts' own tokens. Asks for one new token, as some servers refuse none, and drops it."""
        request = {
            "model": self._named_model(), "prompt": prompts, "max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1,
        }  # fmt: skip
        answer = self._ask("completions", request)
        choices = answer.get("choices")
        if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
            raise self._wrong("it holds no list of choices")
        if sorted(str(choice.get("index")) for choice in choices) != sorted(map(str, range(len(prompts)))):
            raise self._wrong(f"it holds {len(choices)} choices for {len(prompts)} prompts, or their indices are off")
        choices.sort(key=lambda choice: int(choice["index"]))
        echoes = [self._entries(choice) for choice in choices]
        lengths = self._lengths(prompts, echoes, answer.get("usage"))
        found = [_Echo(tokens[:length], log_p[:length]) for (tokens, log_p), length in zip(echoes, lengths, strict=True)]
        for prompt, choice in zip(prompts, choices, strict=True):
            if isinstance(prompt, str) and not str(choice.get("text", "")).startswith(prompt):
                raise self._wrong("its text does not begin with the prompt, so it does not echo")
        return found

    def _entries(self, choice: dict[str, Any]) -> tuple[list[str], tuple[float, ...]]:
        """Tokens and log-probabilities of one choice, the generated token among them; the first log-probability may be missing."""
        log = choice.get("logprobs")
        tokens, values = (log.get("tokens"), log.get("token_logprobs")) if isinstance(log, dict) else (None, None)
        if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values) or not values:
            raise self._wrong("it holds no log-probability for each token")
        if values[0] is None:
            values = [0.0, *values[1:]]
        for value in values:
            if not isinstance(value, float | int) or isinstance(value, bool) or not _is_log_p(value):
                raise self._wrong(f"a log-probability is {ascii(value)[:40]}")
        return [str(token) for token in tokens], tuple(map(float, values))

    def _lengths(self, prompts: list[Prompt], echoes: list[tuple[list[str], tuple[float, ...]]], usage: Any) -> list[int]:
        """How many entries of each choice belong to its prompt: all, or all but the generated token."""
        got = [len(tokens) for tokens, _ in echoes]
        if self._tokenizer is not None:
            if {entries - len(prompt) for entries, prompt in zip(got, prompts, strict=True)} not in ({0}, {1}):
                raise self._wrong("it holds another number of log-probabilities than the prompts have tokens")
            return [len(prompt) for prompt in prompts]
        asked = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        if not isinstance(asked, int):
            raise self._wrong("it does not say how many tokens the prompts have; give the model's tokenizer as URL#MODEL#TOKENIZER")
        if sum(got) - asked not in (0, len(prompts)):
            raise self._wrong(f"it holds {sum(got)} log-probabilities for prompts of {asked} tokens")
        return got if sum(got) == asked else [entries - 1 for entries in got]

    def _named_model(self) -> str:
        if not self._model:
            listed = self._ask("models").get("data")
            names = [str(entry.get("id")) for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
            if len(names) != 1:
                raise ConfigError(f"{self._where} serves {', '.join(names[:8]) or 'no named model'}; name one as {self._url}#MODEL in --lm")
            self._model = names[0]
        return self._model

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One answer as JSON. A lost connection and a busy server are tried again; an answer is taken whole or not at all."""
        headers = {"Content-Type": "application/json"}
        if os.environ.get(KEY):
            headers["Authorization"] = f"Bearer {os.environ[KEY]}"
        data = None if body is None else json.dumps(body).encode()
        reason = ""
        for attempt in range(ATTEMPTS):
            time.sleep(0.25 * attempt)
            request = urllib.request.Request(f"{self._url}/{path}", data, headers)
            try:
                with urllib.request.urlopen(request, timeout=self._timeout_s) as response:
                    raw = response.read(LARGEST + 1)
                return self._parse(raw)
            except urllib.error.HTTPError as error:
                with error:
                    said = " ".join(error.read(2000).decode(errors="replace").split())[:300]
                if error.code in (400, 413, 422) and "context" in said.lower() and ("length" in said.lower() or "long" in said.lower()):
                    raise ContextError(f"the prompt is too long for {self.name} ({said}): shorten the instruction or the prompt") from None
                reason = f"HTTP {error.code}: {said}"
                if error.code not in PASSING:
                    break
            except (OSError, HTTPException) as error:
                cause = getattr(error, "reason", None) or error
                reason = str(cause) or type(cause).__name__
                if isinstance(cause, TimeoutError):
                    reason = f"no answer within {self._timeout_s:g} s"
                    break
        raise ModelError(f"the language model server at {self._url} fails ({reason}): see that it runs and has the model, or change --lm")

    def _parse(self, raw: bytes) -> dict[str, Any]:
        if len(raw) > LARGEST:
            raise self._wrong(f"it is longer than {LARGEST >> 20} MiB")
        try:
            answer = json.loads(raw)
        except (ValueError, RecursionError):
            raise self._wrong("it is not JSON") from None
        if not isinstance(answer, dict):
            raise self._wrong("it is not a JSON object")
        return answer

    def _wrong(self, what: str) -> ModelError:
        return ModelError(
            f"the answer of the language model server at {self._url} cannot be used ({what}): "
            "choose a server that echoes log-probabilities, such as vLLM, or a local model"
        )
