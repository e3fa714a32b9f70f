"""Cameras' intrinsics and poses from a TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seesay.errors import ConfigError, MessageError
from seesay.geometry import rigid
from seesay.messages import CameraInfo, Header, Transform

KEYS = {"width", "height", "k", "d", "parent", "translation", "rotation"}


@dataclass(frozen=True, eq=False)
class Calibration:
    """One camera: `k` (3, 3) pixels at `width` x `height`, distortion `d` (plumb_bob), pose of its optical frame in `parent`."""

    camera: str
    width: int
    height: int
    k: NDArray[np.float64]
    d: NDArray[np.float64]
    parent: str
    translation: NDArray[np.float64]
    rotation: NDArray[np.float64]

    @property
    def frame_id(self) -> str:
        return f"{self.camera}_optical"

    def info(self, header: Header, height: int, width: int) -> CameraInfo:
        """Intrinsics for pictures of `height` x `width`, scaled where they differ from the calibrated size."""
        x, y = width / self.width, height / self.height
        k = self.k.copy()
        k[0] *= x
        k[1] *= y
        k[:2, 2] += 0.5 * (np.array([x, y]) - 1)   # pixel centres lie at integer coordinates
        return CameraInfo(header, height, width, k, self.d)

    def transform(self, header: Header) -> Transform:
        """The static pose of the optical frame."""
        return Transform(header, self.frame_id, self.translation, self.rotation, static=True)

    @property
    def T_world_camera(self) -> NDArray[np.float64]:
        """`(4, 4)` pose of the optical frame in `parent`."""
        return rigid(self.translation, self.rotation)


def load(path: Path, camera: str) -> Calibration:
    """Read the table `[camera]` of a calibration file. Raises ConfigError that names the file and what is wrong in it."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return _calibration(camera, table[camera])
    except OSError as error:
        raise ConfigError(f"calibration file {path}: {error.strerror}; check the path") from error
    except KeyError as error:
        raise ConfigError(f"calibration file {path}: expected a table [{camera}] with {', '.join(sorted(KEYS))}, got no {error}") from error
    except (MessageError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ConfigError(f"calibration file {path}: {error}; correct it") from error


def _calibration(camera: str, table: dict[str, Any]) -> Calibration:
    unknown = sorted(set(table) - KEYS)
    if unknown:
        raise ValueError(f"expected the keys {', '.join(sorted(KEYS))} in [{camera}], got {', '.join(unknown)}")
    numbers = {name: np.asarray(table[name], np.float64) for name in ("k", "d", "translation", "rotation")}
    made = Calibration(camera, int(table["width"]), int(table["height"]), **numbers, parent=str(table["parent"]))
    if made.width < 1 or made.height < 1:
        raise ValueError(f"expected a picture of at least one pixel in [{camera}], got {made.width} x {made.height}")
    made.info(Header(0), made.height, made.width)
    made.transform(Header(0, frame_id=made.parent))
    return made


def plane_depth(k: NDArray[np.float64], T_world_camera: NDArray[np.float64], height: int, width: int) -> NDArray[np.float32]:
    """`(H, W) float32` metres along the optical axis to the plane z = 0 of the world, 0 where a pixel does not look down on it.

    For cameras without depth over a table: what they see is placed where its rays meet the table.
    """
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    rays = np.stack([(u - k[0, 2]) / k[0, 0], (v - k[1, 2]) / k[1, 1], np.ones(u.shape)], axis=-1) @ T_world_camera[:3, :3].T
    down = np.where(rays[..., 2] < -1e-6, rays[..., 2], np.nan)
    depth: NDArray[np.float32] = np.nan_to_num(-T_world_camera[2, 3] / down, nan=0.0).clip(min=0.0).astype(np.float32)
    return depth
