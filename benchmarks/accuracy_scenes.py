"""The test scenes of `tabletop_accuracy`: unseen seeds, textures and lights, with true boxes and masks, kept between two runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from benchmarks.common import cache
from seesay.sim.dataset import silhouette_area
from seesay.sim.mjcf import build
from seesay.sim.render import Renderer, intrinsics, optical_pose
from seesay.sim.scene import random_scene

FIRST_SEED = 1_000_000
VISIBLE = 0.3
CAMERAS = ("front", "side")


@dataclass(frozen=True)
class Truth:
    """A true object: `box` (4,) float32 xyxy pixels of what is visible, `visible` share of its silhouette, `label` in the mask picture."""

    name: str
    box: NDArray[np.float32]
    visible: float
    label: int

    @property
    def counts(self) -> bool:
        return self.visible >= VISIBLE


@dataclass(frozen=True)
class Picture:
    """image `(H, W, 3) uint8` RGB, labels `(H, W) uint8`, and the objects that show at least one pixel."""

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    objects: tuple[Truth, ...]


def pictures(number: int) -> list[Picture]:
    """Both cameras' pictures of `number` scenes."""
    folder = cache("accuracy-scenes-v1")
    found = []
    for index in track(range(number), description="test scenes"):
        path = folder / f"{index:05d}.npz"
        if not path.exists():
            _render(index, path)
        with np.load(path) as data:
            for k in range(len(CAMERAS)):
                names, boxes, shares = data[f"names{k}"], data[f"boxes{k}"], data[f"shares{k}"]
                truths = tuple(Truth(str(names[i]), boxes[i], float(shares[i]), int(data[f"ids{k}"][i])) for i in range(len(names)))
                found.append(Picture(data[f"image{k}"], data[f"labels{k}"], truths))
    return found


def _render(index: int, path: Path) -> None:
    scene = random_scene(FIRST_SEED + index, "test")
    model = build(scene)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    out: dict[str, Any] = {}
    with Renderer(model) as renderer:
        for k, camera in enumerate(CAMERAS):
            ids = renderer.bodies(data, camera)
            identity = model.camera(camera).id
            optical = optical_pose(data.cam_xpos[identity], data.cam_xmat[identity])
            matrix = intrinsics(scene.cameras[camera].fovy)
            labels = np.zeros(ids.shape, np.uint8)
            rows = []
            for number, thing in enumerate(scene.objects, 1):
                mask = ids == model.body(thing.name).id
                if not mask.any():
                    continue
                labels[mask] = number
                x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
                rows.append((thing.name, (x, y, x + w, y + h), mask.sum() / max(silhouette_area(thing, matrix, optical), 1.0), number))
            out |= {
                f"image{k}": renderer.colour(data, camera),
                f"labels{k}": labels,
                f"names{k}": np.array([r[0] for r in rows]),
                f"boxes{k}": np.array([r[1] for r in rows], np.float32).reshape(-1, 4),
                f"shares{k}": np.array([r[2] for r in rows]),
                f"ids{k}": np.array([r[3] for r in rows]),
            }
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(file, **out)
    temporary.rename(path)
