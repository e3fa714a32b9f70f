"""Which pixels belong to which thing: box and mask, what lies before, behind and below."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from seesay.perception.boxes import inside

Pixels = NDArray[np.bool_]
Depth = NDArray[np.float32]
Points = NDArray[np.float64]

LEAST_MASK = 0.08
"""A mask that covers less of its box than this is not believed."""
CORE = 0.3
"""Two masks that share so much that less than this of one would be left are not parted."""
GROW = 4
"""Networks draw outlines a few pixels off: a thing grows by up to so many pixels where its surface goes on."""
GAP = 3.2
"""Neighbouring pixels farther apart in space than so many times the pitch of the samples lie on different surfaces."""
PIECE = 0.3
LEVEL = 0.004
RISE = 0.012


@dataclass(frozen=True)
class Area:
    """The part of the picture around a thing. All arrays are of the window's size.

    window: rows and columns of the picture. pixels: that may show the thing. others: that masks give to other things alone.
    inner: slices of the box itself within the window. masked: a mask narrowed `pixels`.
    """

    window: tuple[slice, slice]
    inner: tuple[slice, slice]
    pixels: Pixels
    others: Pixels
    masked: bool


@dataclass(frozen=True)
class Support:
    """The level surface under a thing: `height` in metres, and the `margin` above it that noise may reach."""

    height: float
    margin: float


def assign(boxes: list[NDArray[np.float32]], masks: list[Pixels | None], shape: tuple[int, ...]) -> list[Area]:
    """Give every thing the pixels of its mask in its box, or of its box alone.

    What two masks claim goes to neither at first: `foreground` gives it to the surface that goes on into it. A bare box gives way to masks.
    """
    claims, narrowed = [], []
    for box, mask in zip(boxes, masks, strict=True):
        rows, columns = _whole(box, shape)
        pixels = np.zeros(shape, bool)
        pixels[rows, columns] = True if mask is None else mask[rows, columns]
        enough = mask is not None and pixels.sum() >= max(12, LEAST_MASK * (rows.stop - rows.start) * (columns.stop - columns.start))
        if not enough:
            pixels[rows, columns] = True
        claims.append(pixels)
        narrowed.append(enough)
    total = np.zeros(shape, np.int16)
    for pixels, enough in zip(claims, narrowed, strict=True):
        total += pixels & enough
    return [_part(index, boxes, claims, narrowed, total, shape) for index in range(len(boxes))]


def _part(
    index: int,
    boxes: list[NDArray[np.float32]],
    claims: list[Pixels],
    narrowed: list[bool],
    total: NDArray[np.int16],
    shape: tuple[int, ...],
) -> Area:
    rows, columns = _whole(boxes[index], shape)
    rim_rows, rim_columns = 8 + (rows.stop - rows.start) // 3, 8 + (columns.stop - columns.start) // 3
    window = (
        slice(max(0, rows.start - rim_rows), rows.stop + rim_rows),
        slice(max(0, columns.start - rim_columns), columns.stop + rim_columns),
    )
    inner = (
        slice(rows.start - window[0].start, rows.stop - window[0].start),
        slice(columns.start - window[1].start, columns.stop - window[1].start),
    )
    mine = claims[index][window]
    around = total[window]
    if not narrowed[index]:
        return Area(window, inner, mine & (around == 0), around > 0, False)
    alone = mine & (around == 1)
    if alone.sum() < CORE * mine.sum():
        alone = mine & ~_smaller_within(index, boxes, claims, narrowed)[window]
    return Area(window, inner, alone, (around > 0) & ~mine, True)


def _smaller_within(index: int, boxes: list[NDArray[np.float32]], claims: list[Pixels], narrowed: list[bool]) -> Pixels:
    """Pixels of masks whose box is smaller and lies mostly within this one."""
    stacked = np.stack(boxes)
    sizes = np.prod(stacked[:, 2:] - stacked[:, :2], axis=1)
    within = inside(stacked, stacked[index : index + 1])[:, 0]
    taken = np.zeros_like(claims[index])
    for other in range(len(boxes)):
        if other != index and narrowed[other] and within[other] > 0.6 and sizes[other] < 0.8 * sizes[index]:
            taken |= claims[other]
    return taken


def _whole(box: NDArray[np.float32], shape: tuple[int, ...]) -> tuple[slice, slice]:
    x0, y0 = (max(0, int(np.floor(value))) for value in box[:2])
    x1, y1 = min(shape[1], int(np.ceil(box[2]))), min(shape[0], int(np.ceil(box[3])))
    return slice(y0, max(y1, y0 + 1)), slice(x0, max(x1, x0 + 1))


def support(area: Area, busy: Pixels, points: Points, metres: Depth) -> Support | None:
    """The level surface on which a thing stands: the commonest height around its box, below it; None if there is no level surface.

    busy: pixels that any thing may own. points `(h, w, 3)` world, metres `(h, w)` depth, infinite where invalid; all of the window's size.
    """
    valid = np.isfinite(metres)
    heights = points[..., 2][valid & ~busy]
    own = points[..., 2][area.pixels & valid]
    if len(heights) < 20 or not len(own):
        return None
    heights = heights[heights < np.percentile(own, 90)]
    if len(heights) < 20:
        return None
    counts, edges = np.histogram(heights, bins=max(1, int(np.ptp(heights) / LEVEL) + 1))
    level = float(edges[counts.argmax()] + (edges[1] - edges[0]) / 2)
    near = heights[np.abs(heights - level) < 3 * LEVEL]
    if len(near) < 0.25 * len(heights):
        return None
    level = float(np.median(near))
    noise = 1.48 * float(np.median(np.abs(near - level)))
    return Support(level, float(np.clip(3 * noise, 0.004, 0.012)))


def foreground(area: Area, support: Support | None, points: Points, metres: Depth, pitch: float) -> Pixels:
    """The pixels of the thing itself: above its support, of one piece in space, out to where its surface ends."""
    solid = np.isfinite(metres)
    if support is not None:
        solid &= points[..., 2] > support.height + support.margin
    elif not area.masked:
        solid &= metres < _behind(area, metres)
    own = area.pixels & solid
    if not own.any():
        return own
    noise = support.margin / 3 if support is not None else 0.004
    reach = GAP * float(np.hypot(pitch, noise)) if noise > 0.0014 else GAP * pitch
    own = _pieces(own, points, metres, reach, area)
    ceiling = float(np.percentile(points[..., 2][own], 97)) + RISE
    band = cv2.dilate(area.pixels.astype(np.uint8), np.ones((2 * GROW + 1, 2 * GROW + 1), np.uint8)).astype(bool)
    return _grow(own, band & solid & ~area.others & (points[..., 2] < ceiling), points, reach)


def _grow(pixels: Pixels, allowed: Pixels, points: Points, reach: float) -> Pixels:
    """Add allowed pixels, ring by ring, that lie within `reach` metres of a pixel beside them."""
    for _ in range(sum(pixels.shape)):
        ring = cv2.dilate(pixels.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & allowed & ~pixels
        rows, columns = np.nonzero(ring)
        joined = np.zeros(len(rows), bool)
        for down, across in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            r, c = rows + down, columns + across
            there = (r >= 0) & (r < pixels.shape[0]) & (c >= 0) & (c < pixels.shape[1])
            r, c = np.where(there, r, rows), np.where(there, c, columns)
            close = ((points[r, c] - points[rows, columns]) ** 2).sum(axis=1) < reach**2
            joined |= there & pixels[r, c] & close
        if not joined.any():
            break
        pixels = pixels.copy()
        pixels[rows[joined], columns[joined]] = True
    return pixels


def _behind(area: Area, metres: Depth) -> float:
    """Without a level support: the depth at which the background starts, behind the widest gap after what fills the middle of the box."""
    box = metres[area.inner]
    height, width = box.shape
    middle = box[height // 4 : height - height // 4, width // 4 : width - width // 4]
    finite = middle[np.isfinite(middle)]
    if not len(finite):
        return float("inf")
    start = float(np.median(finite))
    beyond = np.sort(metres[area.pixels & (metres >= start) & np.isfinite(metres)])
    gaps = np.diff(beyond)
    wide = np.flatnonzero(gaps > max(0.02, 0.03 * start))
    return float(beyond[wide[0]] + gaps[wide[0]] / 2) if len(wide) else float("inf")


def _pieces(pixels: Pixels, points: Points, metres: Depth, reach: float, area: Area) -> Pixels:
    """The main piece of pixels that are joined in space, and pieces within its outline and not before it: the floor of a cup.

    The main piece of a mask is the largest, of a bare box the one that fills its middle best; of a mask, large pieces beside it stay too.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = np.full(pixels.shape, -1)
    total = int(pixels.sum())
    number[pixels] = np.arange(total)
    links = []
    for here, there in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
    ):
        joined = pixels[here] & pixels[there]
        joined[joined] = ((points[here][joined] - points[there][joined]) ** 2).sum(axis=1) < reach**2
        links.append(np.stack([number[here][joined], number[there][joined]]))
    first, second = np.concatenate(links, axis=1)
    _, piece = connected_components(coo_array((np.ones(len(first), bool), (first, second)), shape=(total, total)), directed=False)
    rows, columns = np.nonzero(pixels)
    sizes = np.bincount(piece).astype(np.float64)
    weights: NDArray[np.float64] = sizes
    if not area.masked:
        high, wide = area.inner[0].stop - area.inner[0].start, area.inner[1].stop - area.inner[1].start
        off = ((rows + 0.5 - area.inner[0].start) / high - 0.5) ** 2 + ((columns + 0.5 - area.inner[1].start) / wide - 0.5) ** 2
        weights = np.bincount(piece, weights=np.exp(-off / 0.08)).astype(np.float64)
    main = int(weights.argmax())
    outline = np.zeros(pixels.shape, np.uint8)
    corners = cv2.convexHull(np.column_stack([columns, rows])[piece == main].astype(np.int32))
    cv2.fillConvexPoly(outline, corners, 1)
    within = np.bincount(piece, weights=outline[rows, columns]) / sizes
    body = np.zeros_like(pixels)
    body[rows, columns] = piece == main
    front = cv2.erode(np.where(body, metres, np.float32(1e6)), np.ones((7, 7), np.uint8))[rows, columns]
    before = np.bincount(piece, weights=(front < 1e5) & (metres[rows, columns] < front - reach / 2))
    beside = np.bincount(piece, weights=front < 1e5)
    joins = within > 0.7
    if area.masked:
        joins |= sizes > PIECE * sizes[main]
    good = joins & (before < 0.5 * np.maximum(beside, 1))
    good[main] = True
    result = np.zeros_like(pixels)
    result[pixels] = good[piece]
    return result


def hidden_share(pixels: Pixels, metres: Depth, step: float = 0.012) -> float:
    """Share in [0, 1] of the pixels just outside a thing that lie nearer than it by more than `step` metres: something stands before it."""
    kernel = np.ones((5, 5), np.uint8)
    around = cv2.dilate(pixels.astype(np.uint8), kernel).astype(bool) & ~pixels & np.isfinite(metres)
    if not around.any():
        return 0.0
    nearest = cv2.erode(np.where(pixels, metres, np.float32(1e6)), kernel)
    return float((metres[around] < nearest[around] - step).mean())


def is_covered(pixels: Pixels, others: Pixels, points: Points) -> bool:
    """True if another thing lies on this one: pixels beside it, above it, within its footprint."""
    around = cv2.dilate(pixels.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool) & ~pixels
    ring, own = points[around & others], points[pixels]
    if not len(ring):
        return False
    low, high = own[:, :2].min(axis=0) + 0.004, own[:, :2].max(axis=0) - 0.004
    upon = (ring[:, 2] > np.percentile(own[:, 2], 97) + LEVEL / 2) & ((ring[:, :2] > low) & (ring[:, :2] < high)).all(axis=1)
    return bool(upon.sum() > 0.05 * around.sum())
