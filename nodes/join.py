"""Brings the results for one picture together: its boxes, its depth and, where they come in time, its masks."""

from __future__ import annotations

from dataclasses import dataclass, field

from seesay.messages import Detections, Header, Image, Masks, Source

KEEP = 32
SET_BACK_NS = 100_000_000
"""A picture that is older than the one before it by more was taken after its clock was set back."""
AHEAD_NS = 1_000_000_000
"""A result that is newer than the newest depth by more, just after that, is from before."""


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


@dataclass
class _Camera:
    """The bundles of one camera by their stamps; stamps of the newest depth and masks, and of the last bundle given out; -1 = none.

    before: newest stamp before its clock was set back.
    """

    before: int = -1
    bundles: dict[int, Bundle] = field(default_factory=dict)
    depth: int = -1
    masks: int = -1
    done: int = -1


class Join:
    """Per camera, pictures in order of their stamps. Boxes and depth are needed.

    Masks are waited for until those of a later picture of that camera have come, since each network takes the newest picture and may
    pass over some, or until `patience` later boxes have.

    A recording that is played again, or a simulator that starts again, takes the stamps back. Depth tells it, because a camera sends its
    pictures in order: what was known of that camera is forgotten, and so are the results that were then still under way.
    """

    def __init__(self, patience: int = 1) -> None:
        self._patience = patience
        self._cameras: dict[str, _Camera] = {}

    def add(self, message: Detections | Masks | Image) -> bool:
        """Take a result, or a depth picture; tell whether the camera's clock was set back.

        What is older than the last bundle given out is of no use and is left out.
        """
        source = source_of(message.header)
        camera, stamp = self._cameras.setdefault(source.camera, _Camera()), source.stamp_ns
        set_back = isinstance(message, Image) and stamp < camera.depth - SET_BACK_NS
        if set_back:
            camera = self._cameras[source.camera] = _Camera(before=max(camera.depth, camera.masks))
        elif not isinstance(message, Image) and camera.depth + AHEAD_NS < stamp <= camera.before:
            return False
        if isinstance(message, Masks):
            camera.masks = max(stamp, camera.masks)
        elif isinstance(message, Image):
            camera.depth = max(stamp, camera.depth)
        if stamp > camera.done:
            _keep(camera, source, message)
        return set_back

    def ready(self) -> list[Bundle]:
        """The pictures that are complete, oldest first; each is given out once."""
        found = []
        for camera in self._cameras.values():
            bundles = camera.bundles
            complete = sorted(stamp for stamp, bundle in bundles.items() if bundle.detections is not None and bundle.depth is not None)
            for place, stamp in enumerate(complete):
                waited = len(complete) - 1 - place >= self._patience or camera.masks > stamp
                if bundles[stamp].masks is None and not waited:
                    break
                found.append(bundles[stamp])
                camera.done = stamp
            for stamp in [stamp for stamp in bundles if stamp <= camera.done]:
                del bundles[stamp]
        return sorted(found, key=lambda bundle: bundle.source.stamp_ns)


def _keep(camera: _Camera, source: Source, message: Detections | Masks | Image) -> None:
    bundle = camera.bundles.setdefault(source.stamp_ns, Bundle(source))
    if isinstance(message, Detections):
        bundle.detections = message
    elif isinstance(message, Masks):
        bundle.masks = message
    else:
        bundle.depth = message
    while len(camera.bundles) > KEEP:
        del camera.bundles[min(camera.bundles)]
