"""The checkpoints that travel with the package, and the loading of any other by Hugging Face id or local folder."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from seesay.errors import ModelError

T = TypeVar("T")
Kind = Literal["detector", "segmenter"]

EMBEDDED = "embedded"
CHECKPOINTS = Path(__file__).resolve().parent / "checkpoints"
_FOLDERS: dict[Kind, str] = {"detector": "owlvit-tabletop", "segmenter": "clipseg-tabletop"}
_SEPARABLE: dict[Kind, tuple[str, ...]] = {"detector": ("owlvit", "owlv2"), "segmenter": ("clipseg",)}

FUSED = ("grounding-dino", "mm-grounding-dino", "omdet-turbo")
"""Families of detectors that read picture and prompts together."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """What `load` found: the name that the user gave, the folder or hub id behind it, and its Hugging Face parts.

    `settings` are the shipped thresholds under the key `seesay` of config.json, empty for foreign checkpoints.
    """

    name: str
    place: str
    family: str
    config: Any
    network: Any
    tokenizer: Any
    preprocessor: dict[str, Any]

    @property
    def settings(self) -> dict[str, float]:
        return dict(getattr(self.config, "seesay", None) or {})


def folder(kind: Kind) -> Path:
    """Folder of the embedded checkpoint. Raises ModelError if this installation holds none."""
    path = CHECKPOINTS / _FOLDERS[kind]
    if not (path / "config.json").is_file():
        raise ModelError(f"expected the embedded {kind} in {path}, got no such checkpoint; reinstall seesay or name another model")
    return path


def family(kind: Kind, model: str) -> str:
    """The family of a model, by the `model_type` of its config.json. Raises ModelError as `load` does."""
    return str(_config(kind, model).model_type)


def load(kind: Kind, model: str, families: Sequence[str] = ()) -> Checkpoint:
    """Load the embedded checkpoint (`"embedded"`), a local folder, or a hub id; a cached hub model needs no network.

    families: those that may be, by default the separable ones of that kind.

    Raises ModelError if the model cannot be had, is of another family, or torch and transformers are not installed.
    """
    config, families = _config(kind, model), families or _SEPARABLE[kind]
    import transformers
    from transformers.image_processing_base import ImageProcessingMixin

    place, local = _place(kind, model)
    family = str(config.model_type)
    if family not in families:
        raise ModelError(f"expected a {kind} of the family {' or '.join(families)}, got {model!r} of the family {family!r}")
    segments = family == "clipseg"
    network_class: Any = transformers.CLIPSegForImageSegmentation if segments else transformers.AutoModelForZeroShotObjectDetection
    with _quiet():
        network, report = _attempt(
            kind, model, local,
            lambda offline: network_class.from_pretrained(
                place, local_files_only=offline, output_loading_info=True, ignore_mismatched_sizes=True
            ),
        )  # fmt: skip
    _check_weights(kind, model, network, report)
    tokenizer = _attempt(kind, model, local, lambda offline: _tokenizer(place, offline))
    preprocessor, _ = _attempt(
        kind, model, local, lambda offline: ImageProcessingMixin.get_image_processor_dict(place, local_files_only=offline)
    )
    return Checkpoint(model, place, family, config, network.eval(), tokenizer, preprocessor)


def _config(kind: Kind, model: str) -> Any:
    try:
        import transformers
    except ImportError as error:
        raise ModelError(f"expected torch and transformers for the {kind}, got {error}; install seesay[models]") from error
    place, local = _place(kind, model)
    return _attempt(kind, model, local, lambda offline: transformers.AutoConfig.from_pretrained(place, local_files_only=offline))


def _place(kind: Kind, model: str) -> tuple[str, bool]:
    """(folder or hub id, whether it is a folder)."""
    if model == EMBEDDED:
        return str(folder(kind)), True
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(f"expected a Hugging Face checkpoint in {path}, got a folder without config.json; use save_pretrained")
        return str(path), True
    if path.is_absolute() or model.startswith(("~", ".")) or model.count("/") != 1:
        raise ModelError(f"expected 'embedded', a folder or a Hugging Face id such as 'google/owlvit-base-patch32', got {model!r}")
    return model, False


def _attempt(kind: Kind, model: str, local: bool, read: Callable[[bool], T]) -> T:
    """Read offline first, then, for a hub id only, online."""
    try:
        return read(True)
    except ImportError as error:
        raise ModelError(f"the {kind} {model!r} needs a Python package that is not here ({first_line(error)}); install it") from error
    except Exception as error:
        if local:
            raise ModelError(f"cannot read the {kind} {model!r} ({first_line(error)}); save it again with save_pretrained") from error
    log.info("fetching %s from the Hugging Face hub", model)
    try:
        check_network()
        return read(False)
    except Exception as error:
        raise ModelError(
            f"the {kind} {model!r} is not in the local cache and cannot be fetched ({first_line(error)}); "
            "check the id and the network, or use 'embedded' or a local folder"
        ) from error


def _check_weights(kind: Kind, model: str, network: Any, report: dict[str, Any]) -> None:
    """Raise ModelError for weights that are missing or of another shape, which transformers would draw at random, or no numbers."""
    import torch

    wrong = sorted({*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])})
    if wrong:
        raise ModelError(f"expected all weights of the {kind} {model!r} as its config.json says, got none for {wrong[0]}; save it again")
    for name, weight in network.named_parameters():
        if not torch.isfinite(weight).all():
            raise ModelError(f"expected finite weights of the {kind} {model!r}, got NaN or infinity in {name}; save it again")


def _tokenizer(place: str, offline: bool) -> Any:
    """A tokenizer that works: transformers makes an empty one where the file with its words is missing."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(place, local_files_only=offline)
    tokenizer(["a"])
    return tokenizer


@contextmanager
def _quiet() -> Iterator[None]:
    """No bar, since loading weights takes milliseconds (downloads keep the hub's own), and no report: what is wrong becomes an error."""
    from transformers.utils import logging

    hugging_face: Any = logging
    shown, level = hugging_face.is_progress_bar_enabled(), hugging_face.get_verbosity()
    hugging_face.disable_progress_bar()
    hugging_face.set_verbosity(hugging_face.CRITICAL)
    try:
        yield
    finally:
        hugging_face.set_verbosity(level)
        if shown:
            hugging_face.enable_progress_bar()


def check_network() -> None:
    """Raise OSError at once where the hub's name cannot be resolved: its client would try for half a minute."""
    import socket
    from urllib.parse import urlparse
    from urllib.request import getproxies

    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise OSError("HF_HUB_OFFLINE is set")
    if not getproxies():
        address = urlparse(constants.ENDPOINT)
        socket.getaddrinfo(address.hostname, address.port or 443)


def first_line(error: Exception) -> str:
    """The error's type and first line, short enough for a sentence."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__
