"""Brings the results for one picture together: its boxes, its depth and, where they come in time, its masks."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from seesay.messages import Detections, Header, Image, Masks, Source

KEEP = 32


@dataclass
class Bundle:
    """What is known of one picture."""

    source: Source
    detections: Detections | None = None
    masks: Masks | None = None
    depth: Image | None = None


def source_of(header: Header) -> Source:
    """The picture behind a message; the message itself where it is a picture. Its camera is the frame without "_optical"."""
    return header.source or Source(header.frame_id.removesuffix("_optical"), header.sequence, header.stamp_ns)


class Join:
    """Per camera, pictures in order of their stamps. Boxes and depth are needed.

    Masks are waited for until those of a later picture of that camera have come, since each network takes the newest picture and may
    pass over some, or until `patience` later boxes have.
    """

    def __init__(self, patience: int = 1) -> None:
        self._patience = patience
        self._bundles: dict[str, OrderedDict[int, Bundle]] = {}
        self._newest_masks: dict[str, int] = {}
        self._done: dict[str, int] = {}

    def add(self, message: Detections | Masks | Image) -> None:
        """Take a result, or a depth picture. What is older than the last bundle given out is of no use and is left out."""
        source = source_of(message.header)
        if isinstance(message, Masks):
            self._newest_masks[source.camera] = max(source.stamp_ns, self._newest_masks.get(source.camera, 0))
        if source.stamp_ns <= self._done.get(source.camera, -1):
            return
        bundles = self._bundles.setdefault(source.camera, OrderedDict())
        bundle = bundles.setdefault(source.stamp_ns, Bundle(source))
        if isinstance(message, Detections):
            bundle.detections = message
        elif isinstance(message, Masks):
            bundle.masks = message
        else:
            bundle.depth = message
        while len(bundles) > KEEP:
            bundles.pop(min(bundles))

    def ready(self) -> list[Bundle]:
        """The pictures that are complete, oldest first; each is given out once."""
        found = []
        for camera, bundles in self._bundles.items():
            complete = sorted(stamp for stamp, bundle in bundles.items() if bundle.detections is not None and bundle.depth is not None)
            for place, stamp in enumerate(complete):
                waited = len(complete) - 1 - place >= self._patience or self._newest_masks.get(camera, -1) > stamp
                if bundles[stamp].masks is None and not waited:
                    break
                found.append(bundles[stamp])
                self._done[camera] = stamp
            for stamp in [stamp for stamp in bundles if stamp <= self._done.get(camera, -1)]:
                del bundles[stamp]
        return sorted(found, key=lambda bundle: bundle.source.stamp_ns)
