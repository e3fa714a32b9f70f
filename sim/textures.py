"""Procedural textures for the table, the floor and the objects, by name and seed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def _value_noise(rng: np.random.Generator, size: int, cells: int) -> NDArray[np.float64]:
    coarse = rng.uniform(0, 1, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.float64)


def _level(name: str, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """`(size, size)` mixing weight between two colours, in [0, 1]."""
    y, x = np.mgrid[0:size, 0:size] / size
    n = int(rng.integers(3, 12))
    angle = rng.uniform(0, np.pi)
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    if name == "flat":
        level = np.full((size, size), rng.uniform(0, 1))
    elif name == "checker":
        level = ((np.floor(u * n) + np.floor(v * n)) % 2).astype(np.float64)
    elif name == "stripes":
        level = (np.sin(u * n * 2 * np.pi) > rng.uniform(-0.6, 0.6)).astype(np.float64)
    elif name == "noise":
        level = _value_noise(rng, size, n * 2)
    elif name == "speckle":
        level = (rng.uniform(0, 1, (size, size)) > 0.85).astype(np.float64)
        level = cv2.GaussianBlur(level, (0, 0), float(rng.uniform(0.6, 2)))
    elif name == "gradient":
        level = u
    elif name == "rings":
        level = 0.5 + 0.5 * np.sin(2 * np.pi * n * (np.hypot(u - 0.3, (v - 0.2) * 0.25) + 0.03 * _value_noise(rng, size, 6)))
    elif name == "bricks":
        row = np.floor(v * n)
        level = (((u * n / 2 + 0.5 * (row % 2)) % 1 < 0.06) | ((v * n) % 1 < 0.12)).astype(np.float64)
    elif name == "plaid":
        level = 0.5 * (np.sin(u * n * 2 * np.pi) > 0.4) + 0.5 * (np.sin(v * n * 2 * np.pi) > 0.4)
    elif name == "clouds":
        level = sum(_value_noise(rng, size, 2**k) / 2**k for k in range(1, 6)) / 0.97
    else:
        raise ValueError(f"unknown texture {name!r}")
    return np.asarray(np.clip(level, 0, 1), np.float64)


def surface(name: str, rng: np.random.Generator, size: int = 256) -> NDArray[np.uint8]:
    """Texture of a table or floor: `(size, size, 3) uint8` RGB between two muted colours."""
    first = rng.uniform(0.15, 0.85) + rng.uniform(-0.12, 0.12, 3)
    contrast = rng.uniform(0.1, 0.35) * rng.choice([-1, 1])
    second = first + contrast + rng.uniform(-0.06, 0.06, 3)
    level = _level(name, rng, size)[..., None]
    picture = np.clip(first * (1 - level) + second * level + rng.normal(0, 0.01, (size, size, 1)), 0, 1)
    return np.asarray(picture * 255, np.uint8)


def tint(index: int, rng: np.random.Generator, size: int = 64) -> NDArray[np.uint8]:
    """Faint grey texture that multiplies an object's colour: `(size, size, 3) uint8` RGB."""
    name = ("flat", "noise", "speckle", "gradient")[index % 4]
    level = _level(name, rng, size) if name != "flat" else np.zeros((size, size))
    return np.repeat(np.asarray((1 - 0.18 * level) * 255, np.uint8)[..., None], 3, axis=2)


def png(picture: NDArray[np.uint8]) -> bytes:
    """PNG bytes of an RGB picture."""
    return cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
