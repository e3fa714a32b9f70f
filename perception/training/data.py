"""Rendered shards to training batches: crops, flips and light changes, made in a process of their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset

from seesay.perception.training.model import FINE, PATCH

SLOTS = 12
VISIBLE = 0.3
"""Share of an object that must be seen for it to count."""


@dataclass(frozen=True)
class Sample:
    """pixels `(S, S, 3) uint8` RGB; labels `(S, S) uint8`, 0 = background, k = row k - 1 of the tables;
    boxes `(M, 4) float32` centre and size relative to the picture; pairs `(M,) int64` colour * 6 + shape;
    counts `(M,) bool` visible enough."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    pairs: NDArray[np.int64]
    counts: NDArray[np.bool_]


_NOISE = np.random.default_rng(0).standard_normal(1 << 20, np.float32)
"""Noise is cut from one long row: drawing it anew for every picture cost more than all else."""


class Shards:
    """Every `step`-th shard of some folders, from the `first` on; shards that appear later are seen by `refresh`."""

    def __init__(self, folders: list[Path], first: int = 0, step: int = 1) -> None:
        self.folders, self._part = folders, slice(first, None, step)
        self._loaded: dict[Path, tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]] = {}
        self.refresh()

    def refresh(self) -> None:
        for folder in self.folders:
            for path in sorted(folder.glob("*.npz"))[self._part]:
                if path not in self._loaded:
                    with np.load(path) as part:
                        self._loaded[path] = (part["images"], part["labels"], part["objects"])
        self._shards = list(self._loaded.values())
        self._starts = np.cumsum([0, *(len(s[0]) for s in self._shards)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        images, labels, objects = self._shards[shard]
        row = index - int(self._starts[shard])
        return images[row], labels[row], objects[row]


def augment(
    rng: np.random.Generator,
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    objects: NDArray[np.float32],
    size: int,
    plain: bool = False,
) -> Sample:
    """Crop (close to the objects at small sizes), flip, resize to `size` and change the light; with `plain` only resize."""
    height, width = labels.shape
    close = size < 192
    if not plain and (close or rng.random() < 0.65):
        scale = rng.uniform(0.3, 0.65) if close else rng.uniform(0.45, 1.0)
        h, w = (int(min(side, side * scale * rng.uniform(0.88, 1.12))) for side in (height, width))
        top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
        image, labels = image[top : top + h, left : left + w], labels[top : top + h, left : left + w]
    if not plain and rng.random() < 0.5:
        image, labels = image[:, ::-1], labels[:, ::-1]
    how = cv2.INTER_AREA if image.shape[0] > size else cv2.INTER_CUBIC
    pixels = np.asarray(cv2.resize(np.ascontiguousarray(image), (size, size), interpolation=how), np.uint8)
    scale_area = labels.size / (size * size)
    labels = np.asarray(cv2.resize(np.ascontiguousarray(labels), (size, size), interpolation=cv2.INTER_NEAREST), np.uint8)
    if not plain:
        pixels = _tone(rng, pixels)
    areas = np.bincount(labels.ravel(), minlength=SLOTS + 1)
    boxes, pairs, counts, lookup = [], [], [], np.zeros(256, np.uint8)
    for k in range(len(objects)):
        if objects[k, 0] < 0:
            continue
        seen = int(areas[k + 1])
        if seen < 4:
            continue
        x, y, w, h = cv2.boundingRect(cv2.inRange(labels, k + 1, k + 1))
        boxes.append([(x + w / 2) / size, (y + h / 2) / size, w / size, h / size])
        pairs.append(int(objects[k, 0]) * 6 + int(objects[k, 1]))
        counts.append(seen * scale_area / objects[k, 7] >= VISIBLE and seen >= 20)
        lookup[k + 1] = len(boxes)
    return Sample(pixels, lookup[labels], np.array(boxes, np.float32).reshape(-1, 4), np.array(pairs, np.int64), np.array(counts, bool))


def _tone(rng: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Random exposure, tint and gamma, sometimes blur and noise; `(S, S, 3) uint8` to the same."""
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.94, 1.06, 3)
    levels = np.clip(np.linspace(0, 1, 256)[:, None] * gain, 0, 1) ** rng.uniform(0.8, 1.25)
    toned = cv2.LUT(picture, np.asarray(levels * 255, np.uint8)[None])
    if rng.random() < 0.3:
        toned = cv2.GaussianBlur(toned, (0, 0), float(rng.uniform(0.3, 0.9)))
    if rng.random() < 0.5:
        start = int(rng.integers(len(_NOISE) - toned.size))
        noise = _NOISE[start : start + toned.size].reshape(toned.shape)
        toned = cv2.add(toned, np.multiply(noise, rng.uniform(0, 6.4), dtype=np.float32), dtype=cv2.CV_8U)
    return np.asarray(toned, np.uint8)


@dataclass(frozen=True)
class Batch:
    """Stacked samples. token_object `(B, N) int64`: row of the object that covers the patch, or -1; primary `(B, N) bool`: the patch
    whose bias corner is nearest to the object's centre; fine `(B, N, FINE * FINE) int64`: 1 + row of the object in the middle of
    each cell of a patch, or 0; objects of all pictures stand in one table: boxes, pairs, counts; `first` `(B,)` its offsets."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    token_object: NDArray[np.int64]
    primary: NDArray[np.bool_]
    fine: NDArray[np.int64]
    boxes: NDArray[np.float32]
    pairs: NDArray[np.int64]
    counts: NDArray[np.bool_]
    first: NDArray[np.int64]


def assign(sample: Sample) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Which object each patch belongs to, and each object's primary patch (OWL-ViT's location bias is a patch's lower right corner)."""
    grid = sample.labels.shape[0] // PATCH
    rows = np.arange(grid * PATCH) // PATCH
    patch = (rows[:, None] * grid + rows[None]) * (SLOTS + 1)
    covered = np.bincount((patch + sample.labels).ravel(), minlength=grid * grid * (SLOTS + 1)).reshape(grid * grid, SLOTS + 1)[:, 1:]
    best = covered.argmax(1)
    owner = np.where(covered[np.arange(grid * grid), best] > 0.4 * PATCH * PATCH, best, -1).astype(np.int64)
    primary = np.zeros(grid * grid, bool)
    for k in np.argsort(-sample.boxes[:, 2] * sample.boxes[:, 3]) if len(sample.boxes) else ():
        if not sample.counts[k]:
            continue
        column, row = (int(np.clip(round(float(c) * grid) - 1, 0, grid - 1)) for c in sample.boxes[k, :2])
        cells = [(row + dy, column + dx) for dy in (0, -1, 1) for dx in (0, -1, 1)]
        for y, x in sorted(cells, key=lambda c: (c[0] - row) ** 2 + (c[1] - column) ** 2):
            if 0 <= y < grid and 0 <= x < grid and not primary[y * grid + x]:
                primary[y * grid + x], owner[y * grid + x] = True, k
                break
    return owner, primary


def collate(samples: list[Sample]) -> Batch:
    owners, primaries = zip(*(assign(s) for s in samples), strict=True)
    first = np.cumsum([0, *(len(s.boxes) for s in samples)])[:-1]
    tokens = np.stack([np.where(o >= 0, o + f, -1) for o, f in zip(owners, first, strict=True)])
    labels = np.stack([s.labels for s in samples])
    cell, grid = PATCH // FINE, labels.shape[1] // PATCH
    fine = labels[:, cell // 2 :: cell, cell // 2 :: cell].astype(np.int64)
    fine = np.where(fine > 0, fine + first[:, None, None], 0).reshape(len(samples), grid, FINE, grid, FINE).transpose(0, 1, 3, 2, 4)
    return Batch(
        pixels=np.stack([s.pixels for s in samples]),
        labels=labels,
        token_object=tokens,
        primary=np.stack(primaries),
        fine=fine.reshape(len(samples), grid * grid, -1),
        boxes=np.concatenate([s.boxes for s in samples]),
        pairs=np.concatenate([s.pairs for s in samples]),
        counts=np.concatenate([s.counts for s in samples]),
        first=first,
    )


class Stream(IterableDataset[Batch]):
    """Endless batches; the content of step n depends on the seed, n and the shards; `rank` takes its share of them."""

    def __init__(self, folders: list[Path], size: int, batch: int, seed: int, first_step: int, rank: int, processes: int) -> None:
        self.folders, self.size, self.batch, self.seed, self.first_step = folders, size, batch, seed, first_step
        self.rank, self.processes = rank, processes

    def __iter__(self) -> Iterator[Batch]:
        cv2.setNumThreads(1)
        shards = Shards(self.folders, self.rank, self.processes)
        for step in itertools.count(self.first_step):
            rng = np.random.default_rng([self.seed, step, self.rank])
            if step % 200 == 0:
                shards.refresh()
            chosen = rng.integers(0, len(shards), self.batch)
            yield collate([augment(rng, *shards[int(i)], self.size) for i in chosen])


def batches(stream: Stream) -> Iterator[Batch]:
    """A Stream made in a process of its own."""
    return iter(DataLoader(stream, batch_size=None, num_workers=1, prefetch_factor=4, collate_fn=_as_is))


def _as_is(batch: Any) -> Any:
    return batch
