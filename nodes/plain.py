"""Messages as plain JSON values, for files and for `--json`."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

SMALL = 64   # elements; longer arrays are described, not written out


def plain(value: Any, whole: bool = False) -> Any:
    """`value` (a message, or anything inside one) as dict, list, str, number, bool or None.

    Infinities and NaN become None, as JSON has neither. Arrays of more than SMALL elements become
    `{"shape": [...], "dtype": "..."}` unless `whole`.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name), whole) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        if value.size > SMALL and not whole:
            return {"shape": list(value.shape), "dtype": str(value.dtype)}
        return plain(value.tolist(), whole)
    if isinstance(value, dict):
        return {str(key): plain(item, whole) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, whole) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item(), whole)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def dumps(value: Any, indent: int | None = None) -> str:
    """JSON text of `plain(value)`."""
    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing: into a neighbour first, then renamed."""
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise
