"""Causal language models of transformers on this machine: by name, folder or GGUF file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seesay.errors import ModelError
from seesay.planner.gemma import gemma_path, gguf_path

PACKAGED = "gemma3-270m"


def load_model(model: str = PACKAGED, threads: int | None = None) -> tuple[Any, Any]:
    """A causal model in float32 and its tokenizer.

    model: "gemma3-270m" for the packaged one, a GGUF file (either is converted into the cache at first use), a Hugging Face id or a
    folder. threads: number of CPU threads for torch in this process; None leaves it. Raises ModelError if the model cannot be had.
    """
    import torch
    from transformers import AutoModelForCausalLM

    if threads:
        torch.set_num_threads(threads)
    path = _path(model)
    tokenizer = load_tokenizer(model)
    with _quiet(), _one_sentence(model):
        weights = AutoModelForCausalLM.from_pretrained(path, local_files_only=Path(path).exists(), dtype=torch.float32)
    return weights, tokenizer


def load_tokenizer(model: str = PACKAGED) -> Any:
    """The tokenizer alone; see `load_model`."""
    from transformers import AutoTokenizer

    path = _path(model)
    with _quiet(), _one_sentence(model):
        return AutoTokenizer.from_pretrained(path, local_files_only=Path(path).exists())


def _path(model: str) -> str:
    if model == PACKAGED:
        return str(gemma_path())
    return str(gguf_path(Path(model))) if model.endswith(".gguf") else model


@contextmanager
def _one_sentence(model: str) -> Iterator[None]:
    """What transformers says in pages, as a ModelError."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"the language model {model!r} is neither a readable folder nor a Hugging Face model in the cache or within reach "
            f"({reason}): check the name or the network, or leave it out to use the packaged Gemma 3 270M"
        ) from error


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
