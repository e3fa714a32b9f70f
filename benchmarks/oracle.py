"""Eyes that know the truth, behind the detector's and the segmenter's protocols: to measure everything but the networks."""

from __future__ import annotations

from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from seesay import masks
from seesay.messages import Detections, Image, Masks, PromptSet
from seesay.sim.render import Renderer
from seesay.sim.world import World


class OracleEyes:
    """True boxes and masks of what a world's cameras see at this moment. Close it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._renderer = Renderer(world.model)

    def detect(self, image: Image, prompts: PromptSet) -> Detections:
        boxes, indices = [], []
        for index, mask in enumerate(self._masks(image, prompts)):
            if mask.sum() >= 12:
                x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
                boxes.append((x, y, x + w, y + h))
                indices.append(index)
        return Detections(
            image.header, prompts.version, prompts.texts, "oracle", image.height, image.width, np.array(boxes, np.float32).reshape(-1, 4),
            np.full(len(boxes), 0.95, np.float32), np.array(indices, np.int32),
        )  # fmt: skip

    def segment(self, image: Image, prompts: PromptSet) -> Masks:
        drawn = np.array(self._masks(image, prompts), bool).reshape(-1, image.height, image.width)
        counts, starts = masks.encode(drawn)
        scores = np.asarray(drawn.any((1, 2)), np.float32)
        return Masks(image.header, prompts.version, prompts.texts, "oracle", image.height, image.width, counts, starts, scores)

    def _masks(self, image: Image, prompts: PromptSet) -> list[NDArray[np.bool_]]:
        assert image.header.source is not None
        seen = self._renderer.bodies(self._world.data, image.header.source.camera)
        names = {name.removeprefix("a ").removeprefix("the "): name for name in prompts.texts}
        bodies = {names[name]: self._world.model.body(name).id for name in self._world.truth() if name in names}
        return [seen == bodies[name] if name in bodies else np.zeros(seen.shape, bool) for name in prompts.texts]

    def __enter__(self) -> OracleEyes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._renderer.close()
