from __future__ import annotations

import numpy as np
import pytest

from seesay.messages import Detections, Image, Masks, PromptSet
from seesay.perception.annotate import draw
from seesay.perception.grounding import View
from seesay.perception.pipeline import Perceiver
from tests.perception import raycast as rc

CAMERAS = (rc.Camera("front", -90, 63, 0.79), rc.Camera("side", -28, 53, 0.83))


class Oracle:
    """A faultless detector and segmenter of one scene; it notes what it was asked."""

    def __init__(self, things: list[rc.Thing]) -> None:
        self.things = things
        self.asked: list[tuple[str, ...]] = []

    def _see(self, image: Image) -> tuple[Detections, Masks]:
        assert image.header.source is not None
        camera = next(c for c in CAMERAS if c.name == image.header.source.camera)
        return rc.perfect(self.things, rc.cast(self.things, camera)[1], camera, image.header.stamp_ns)

    def detect(self, image: Image, prompts: PromptSet) -> Detections:
        return self._see(image)[0]

    def segment(self, image: Image, prompts: PromptSet) -> Masks:
        self.asked.append(prompts.texts)
        return self._see(image)[1]


def views(things: list[rc.Thing], stamp_ns: int) -> list[View]:
    made = []
    for camera in CAMERAS:
        depth = rc.depth_image(rc.cast(things, camera)[0], camera, stamp_ns)
        made.append(View(Image(depth.header, "rgb8", np.zeros((240, 320, 3), np.uint8)), depth, camera.info, camera.pose))
    return made


@pytest.mark.parametrize("masked", [True, False])
def test_look(masked: bool) -> None:
    things = [rc.block("red block", -0.1, 0.0, yaw=0.4), rc.bowl("green bowl", 0.1, 0.02), rc.ball("blue ball", 0.0, -0.09)]
    oracle = Oracle(things)
    perceiver = Perceiver(oracle, oracle if masked else None)
    assert perceiver.name(["red block", "green bowl", "blue ball", "cup"]).version == 1
    objects = perceiver.look(views(things, 5))
    assert objects.header.stamp_ns == 5
    for thing in things:
        seen = next(o for o in objects.objects if o.label == thing.name)
        np.testing.assert_allclose(seen.position, thing.centre, atol=0.001)
        assert seen.covariance[0, 0] < 0.002**2
    assert [glimpse.view.source.camera for glimpse in perceiver.glimpses] == ["front", "side"]
    assert oracle.asked == ([("red block", "green bowl", "blue ball")] * 2 if masked else [])
    glimpse = perceiver.glimpses[0]
    assert draw(glimpse.view.image.data, glimpse.detections, glimpse.masks, objects).shape == (480, 640, 3)
