"""What every message checks of its arrays, once, when it is made."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seesay.errors import MessageError

_dtype = cache(np.dtype)


def check_array(name: str, array: Any, dtype: str, shape: tuple[int | None, ...]) -> None:
    """Raise MessageError unless `array` is a numpy array of `dtype` and `shape` (None = any length)."""
    if not isinstance(array, np.ndarray):
        raise MessageError(f"{name}: expected a numpy array, got {type(array).__name__}")
    fits = array.ndim == len(shape)
    for want, got in zip(shape, array.shape, strict=False):
        fits = fits and want in (None, got)
    if not fits or array.dtype != _dtype(dtype):
        wanted = "(" + ", ".join("_" if n is None else str(n) for n in shape) + ")"
        raise MessageError(f"{name}: expected {wanted} {dtype}, got {array.shape} {array.dtype}")


def check_share(name: str, value: float) -> None:
    """Raise MessageError unless `value` is within 0 and 1."""
    if not 0.0 <= value <= 1.0:
        raise MessageError(f"{name}: expected a number within 0 and 1, got {value}")


def check_finite(name: str, array: NDArray[Any]) -> None:
    """Raise MessageError if `array` holds NaN or infinity."""
    if not np.isfinite(array).all():
        raise MessageError(f"{name}: expected finite numbers, got NaN or infinity")
