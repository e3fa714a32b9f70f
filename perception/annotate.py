"""Boxes, masks, names and positions drawn on a picture."""

from __future__ import annotations

import colorsys
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from seesay import masks as coding
from seesay.messages import Detections, Masks, Objects

OPACITY = 0.4
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DARK, _LIGHT = (25, 25, 25), (245, 245, 245)


def draw(
    rgb: NDArray[np.uint8], detections: Detections | None = None, masks: Masks | None = None, objects: Objects | None = None, scale: int = 0
) -> NDArray[np.uint8]:
    """Return a copy of `(H, W, 3) uint8` RGB with masks tinted, boxes framed and labels written, `(H * scale, W * scale, 3) uint8`.

    masks: those of prompts with a box; all if there are no detections. objects: adds id and position of those last seen in this
    picture (their `source` is that of `detections`). Lines and letters grow with the picture.
    scale: enlarges the picture before drawing so that text stays readable; 0 picks the factor that makes it about 640 pixels wide.
    """
    factor = scale or max(1, min(8, round(640 / max(rgb.shape[1], rgb.shape[0] / 2))))
    canvas: NDArray[np.uint8] = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
    pen = _Pen(canvas, max(1.0, max(canvas.shape[:2]) / 900))
    if masks is not None:
        shown = set(masks.prompts) if detections is None else {detections.prompts[index] for index in detections.prompt_indices}
        pen.tint(masks, shown)
    if detections is not None:
        names = [detections.prompts[index] for index in detections.prompt_indices]
        for box, name in zip(detections.boxes, names, strict=True):
            pen.frame(box * factor, colour(name))
        for box, name, score in zip(detections.boxes, names, detections.scores, strict=True):
            pen.label(box * factor, f"{name} {score:.2f}", colour(name))
    if objects is not None:
        source = detections.header.source if detections is not None else None
        for thing in objects.objects:
            if source is None or (thing.source.camera == source.camera and thing.status in ("visible", "occluded")):
                x, y, z = thing.position * 100
                text = f"#{thing.id} {thing.label} ({x:+.1f}, {y:+.1f}, {z:.1f}) cm"
                if detections is None:
                    pen.frame(thing.box * factor, colour(thing.label))
                pen.label(thing.box * factor, text, colour(thing.label))
    return canvas


def colour(name: str) -> tuple[int, int, int]:
    """A bright RGB colour that belongs to a name; the colour word in it, where there is one."""
    for word in name.lower().split():
        if word in _WORDS:
            return _WORDS[word]
    hue = (sum(ord(letter) * (place + 7) for place, letter in enumerate(name)) * 0.618) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75, 1.0)
    return int(red * 255), int(green * 255), int(blue * 255)


_WORDS = {
    "red": (255, 60, 60),
    "orange": (255, 150, 30),
    "yellow": (255, 230, 50),
    "green": (70, 220, 90),
    "cyan": (60, 230, 240),
    "blue": (90, 140, 255),
    "purple": (190, 100, 240),
    "pink": (255, 140, 200),
    "white": (255, 255, 255),
    "black": (150, 150, 150),
    "grey": (190, 190, 190),
    "gray": (190, 190, 190),
}


class _Pen:
    """Draws on `(H, W, 3) uint8` RGB in place; `unit` is the width of a thin line in pixels."""

    def __init__(self, canvas: NDArray[np.uint8], unit: float) -> None:
        self.canvas = canvas
        self._thin, self._thick = round(unit), round(2 * unit)
        self._size = (0.4 if unit == 1.0 else 0.45) * unit
        self._plates: list[tuple[int, int, int, int]] = []

    def tint(self, masks: Masks, shown: set[str]) -> None:
        """Tint and outline the masks of those prompts; where several overlap, with the mean of their colours."""
        height, width = self.canvas.shape[:2]
        tint, layers = np.zeros((masks.height, masks.width, 3), np.float32), np.zeros((masks.height, masks.width), np.float32)
        for place, prompt in enumerate(masks.prompts):
            if prompt in shown:
                mask = coding.decode_one(masks.counts[masks.starts[place] : masks.starts[place + 1]], masks.height, masks.width)
                tint[mask] += colour(prompt)
                layers += mask
        tint /= np.maximum(layers, 1)[..., None]
        paint: NDArray[Any] = cv2.resize(tint, (width, height), interpolation=cv2.INTER_NEAREST)
        covered = cv2.resize((layers > 0).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        covered &= paint.any(axis=2)
        self.canvas[covered] = ((1 - OPACITY) * self.canvas[covered] + OPACITY * paint[covered]).astype(np.uint8)
        edges, _ = cv2.findContours(covered.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(self.canvas, edges, -1, _DARK, self._thick, cv2.LINE_AA)
        cv2.drawContours(self.canvas, edges, -1, _LIGHT, self._thin, cv2.LINE_AA)

    def frame(self, box: NDArray[np.float32], paint: tuple[int, int, int]) -> None:
        """A box with a dark rim."""
        x0, y0, x1, y1 = (round(float(value)) for value in box)
        cv2.rectangle(self.canvas, (x0, y0), (x1, y1), _DARK, self._thick + 2 * self._thin, cv2.LINE_AA)
        cv2.rectangle(self.canvas, (x0, y0), (x1, y1), paint, self._thick, cv2.LINE_AA)

    def label(self, box: NDArray[np.float32], text: str, paint: tuple[int, int, int]) -> None:
        """A text on a dark plate above a box, moved down until it covers no other text."""
        x0, y0 = round(float(box[0])), round(float(box[1]))
        (width, height), base = cv2.getTextSize(text, _FONT, self._size, self._thin)
        across, down = width + 4 * self._thin, height + base + 2 * self._thin
        left = max(0, min(x0, self.canvas.shape[1] - across))
        top = max(0, min(y0, self.canvas.shape[0]) - down)
        for _ in range(20):
            plate = (left, top, left + across, top + down)
            clash = next((p for p in self._plates if plate[0] < p[2] and p[0] < plate[2] and plate[1] < p[3] and p[1] < plate[3]), None)
            if clash is None or clash[3] + down > self.canvas.shape[0]:
                break
            top = clash[3]
        self._plates.append(plate)
        cv2.rectangle(self.canvas, plate[:2], plate[2:], _DARK, -1)
        where = (left + 2 * self._thin, top + height + self._thin)
        cv2.putText(self.canvas, text, where, _FONT, self._size, paint, self._thin, cv2.LINE_AA)
