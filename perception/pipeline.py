"""From RGB-D pictures and prompts to objects, in one process: the steps that the nodes run apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from seesay.messages import Detections, Header, Image, Masks, Objects, Prompt, PromptSet
from seesay.perception.association import ObjectTracker
from seesay.perception.grounding import Sights, View, ground
from seesay.perception.prompts import full


class Detects(Protocol):
    """Finds boxes for prompts, as `Detector` does."""

    def detect(self, image: Image, prompts: PromptSet) -> Detections: ...


class Segments(Protocol):
    """Finds one mask per prompt, as `Segmenter` does."""

    def segment(self, image: Image, prompts: PromptSet) -> Masks: ...


@dataclass(frozen=True)
class Glimpse:
    """What each stage made of one view."""

    view: View
    detections: Detections
    masks: Masks | None
    sights: Sights


class Perceiver:
    """Sees objects by name. `glimpses` keeps what each stage made of the views of the last look, for pictures and reports."""

    def __init__(
        self, detector: Detects, segmenter: Segments | None = None, prompts: Sequence[str | Prompt] = (), frame_id: str = "world"
    ) -> None:
        self.detector = detector
        self.segmenter = segmenter
        self.prompts = PromptSet(Header(0), 0, tuple(prompts))
        self.tracker = ObjectTracker(frame_id)
        self.glimpses: tuple[Glimpse, ...] = ()

    def name(self, prompts: Sequence[str | Prompt]) -> PromptSet:
        """Look for other things from now on; the version of the set rises."""
        self.prompts = PromptSet(Header(0), self.prompts.version + 1, tuple(prompts))
        return self.prompts

    def look(self, views: Sequence[View]) -> Objects:
        """Look at the newest picture of every camera and return all known objects."""
        glimpses = []
        objects = Objects(Header(0, frame_id=self.tracker.frame_id), self.tracker.objects())
        for view in views:
            detections = self.detector.detect(view.image, self.prompts)
            masks = self.segmenter.segment(view.image, found(detections, self.prompts)) if self.segmenter else None
            sights = ground(detections, masks, view.depth, view.info, view.T_world_camera)
            objects = self.tracker.update(sights, detections.header, view)
            glimpses.append(Glimpse(view, detections, masks, sights))
        self.glimpses = tuple(glimpses)
        return objects


def found(detections: Detections, asked: PromptSet) -> PromptSet:
    """The prompts of those asked for that have a box: only they need a mask."""
    every = full(asked.prompts)
    prompts = tuple(dict.fromkeys(every[index] for index in sorted(set(detections.prompt_indices.tolist()))))
    return PromptSet(replace(detections.header), detections.prompt_version, prompts)
