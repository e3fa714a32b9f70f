"""Boxes, masks, names and positions drawn on a picture."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
from numpy.typing import NDArray

from seesay import masks as coding
from seesay.messages import Detections, Masks, Objects

OPACITY = 0.4
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw(
    rgb: NDArray[np.uint8], detections: Detections | None = None, masks: Masks | None = None, objects: Objects | None = None, scale: int = 0
) -> NDArray[np.uint8]:
    """Return a copy of `(H, W, 3) uint8` RGB with masks tinted, boxes framed and labels written, `(H * scale, W * scale, 3) uint8`.

    objects: adds id and position of those last seen in this picture (their `source` is that of `detections`).
    scale: enlarges the picture before drawing so that text stays readable; 0 picks the factor that makes it about 640 pixels wide.
    """
    factor = scale or max(1, round(640 / rgb.shape[1]))
    canvas: NDArray[np.uint8] = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
    if masks is not None:
        shown = _shown(detections) if detections is not None else None
        for prompt, mask in zip(masks.prompts, coding.decode(masks.counts, masks.starts, masks.height, masks.width), strict=True):
            if mask.any() and (shown is None or prompt in shown):
                _tint(canvas, mask, colour(prompt), factor)
    places: list[tuple[int, int, int, int]] = []
    if detections is not None:
        for box, score, index in zip(detections.boxes, detections.scores, detections.prompt_indices, strict=True):
            prompt = detections.prompts[index]
            _frame(canvas, box * factor, f"{prompt} {score:.2f}", colour(prompt), places)
    if objects is not None:
        source = detections.header.source if detections is not None else None
        for thing in objects.objects:
            if source is None or (thing.source.camera == source.camera and thing.status in ("visible", "occluded")):
                x, y, z = thing.position * 100
                text = f"#{thing.id} {thing.label} ({x:+.1f}, {y:+.1f}, {z:.1f}) cm"
                _frame(canvas, thing.box * factor, text, colour(thing.label), places, thin=detections is not None)
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


def _shown(detections: Detections) -> set[str]:
    return {detections.prompts[index] for index in detections.prompt_indices}


def _tint(canvas: NDArray[np.uint8], mask: NDArray[np.bool_], paint: tuple[int, int, int], factor: int) -> None:
    large = cv2.resize(mask.astype(np.uint8), (canvas.shape[1], canvas.shape[0]), interpolation=cv2.INTER_NEAREST).astype(bool)
    canvas[large] = ((1 - OPACITY) * canvas[large] + OPACITY * np.array(paint)).astype(np.uint8)
    edges, _ = cv2.findContours(large.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, edges, -1, paint, 1, cv2.LINE_AA)


def _frame(
    canvas: NDArray[np.uint8],
    box: NDArray[np.float32],
    text: str,
    paint: tuple[int, int, int],
    places: list[tuple[int, int, int, int]],
    thin: bool = False,
) -> None:
    """A box and its text on a dark plate above it, moved down until it covers no other text."""
    x0, y0, x1, y1 = (round(float(value)) for value in box)
    if not thin:
        cv2.rectangle(canvas, (x0, y0), (x1, y1), paint, 2, cv2.LINE_AA)
    size = 0.4 if canvas.shape[1] < 900 else 0.6
    (width, height), base = cv2.getTextSize(text, _FONT, size, 1)
    left = max(0, min(x0, canvas.shape[1] - width - 4))
    top = max(0, y0 - height - base - 2)
    for _ in range(20):
        plate = (left, top, left + width + 4, top + height + base + 2)
        clash = next((p for p in places if plate[0] < p[2] and p[0] < plate[2] and plate[1] < p[3] and p[1] < plate[3]), None)
        if clash is None or clash[3] + height + base + 2 > canvas.shape[0]:
            break
        top = clash[3]
    places.append(plate)
    cv2.rectangle(canvas, plate[:2], plate[2:], (25, 25, 25), -1)
    cv2.putText(canvas, text, (left + 2, top + height + 1), _FONT, size, paint, 1, cv2.LINE_AA)
