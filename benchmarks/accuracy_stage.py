"""A tabletop scene whose things are put anywhere: RGB-D views with the truth about each, and the noise of a depth camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_scenes import VISIBLE
from seesay import masks
from seesay.messages import CameraInfo, Detections, Header, Image, Masks, Source
from seesay.perception.grounding import View
from seesay.perception.noise import RGBD
from seesay.sim.cameras import FAR
from seesay.sim.dataset import silhouette_area
from seesay.sim.mjcf import build
from seesay.sim.render import Renderer, intrinsics, optical_pose
from seesay.sim.scene import Scene, SceneObject

BOARD = '<body name="board" mocap="true" pos="0 0 -9"><geom type="box" group="0" size="0.05 0.05 0.003" rgba="0.5 0.5 0.5 1"/></body>'
LEAST_PIXELS = 12


@dataclass(frozen=True)
class Seen:
    """A thing in a view: `mask` `(H, W) bool` its visible pixels, `centre` `(3,)` metres, `counts` if at least 30 % of it is visible."""

    name: str
    mask: NDArray[np.bool_]
    centre: NDArray[np.float64]
    counts: bool


@dataclass(frozen=True)
class Shot:
    view: View
    things: tuple[Seen, ...]


class Stage:
    """A scene without physics. Close it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.things: dict[str, SceneObject] = {thing.name: thing for thing in scene.objects}
        self._model = build(scene, extra_world=BOARD)
        self._data = mujoco.MjData(self._model)
        self._renderer = Renderer(self._model)

    def put(self, name: str, x: float, y: float) -> None:
        """Move a thing over the table."""
        self.things[name] = replace(self.things[name], position=(x, y, self.things[name].position[2]))
        self._data.joint(int(self._model.body(name).jntadr[0])).qpos[:2] = x, y

    def hold_board(self, x: float, y: float, z: float) -> None:
        """Hold a grey board of 10 x 10 cm level at a place."""
        self._data.mocap_pos[self._model.body("board").mocapid[0]] = x, y, z

    def look(self, camera: str, stamp_ns: int = 0) -> Shot:
        mujoco.mj_forward(self._model, self._data)
        colour, depth = self._renderer.colour(self._data, camera).copy(), self._renderer.depth(self._data, camera).copy()
        depth[depth > FAR] = np.nan
        index = self._model.camera(camera).id
        pose = optical_pose(self._data.cam_xpos[index], self._data.cam_xmat[index])
        k = intrinsics(self.scene.cameras[camera].fovy)
        header = Header(stamp_ns, stamp_ns, f"{camera}_optical", "sim", Source(camera, stamp_ns, stamp_ns))
        info = CameraInfo(header, depth.shape[0], depth.shape[1], k)
        view = View(Image(header, "rgb8", colour), Image(header, "32FC1", depth), info, pose)
        bodies = self._renderer.bodies(self._data, camera)
        seen = []
        for name, thing in self.things.items():
            mask = bodies == self._model.body(name).id
            if mask.sum() >= LEAST_PIXELS:
                share = mask.sum() / max(silhouette_area(thing, k, pose), 1.0)
                seen.append(Seen(name, mask, np.array(thing.position), share >= VISIBLE))
        return Shot(view, tuple(seen))

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._renderer.close()


def faultless(shot: Shot, prompt_of: Callable[[str], str]) -> tuple[Detections, Masks]:
    """True boxes and masks; `prompt_of` gives the prompt that a thing of a name answers, which several may share."""
    image = shot.view.image
    prompts = tuple(dict.fromkeys(prompt_of(thing.name) for thing in shot.things))
    corners = [cv2.boundingRect(thing.mask.astype(np.uint8)) for thing in shot.things]
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in corners], np.float32).reshape(-1, 4)
    indices = np.array([prompts.index(prompt_of(thing.name)) for thing in shot.things], np.int32)
    drawn = np.zeros((len(prompts), image.height, image.width), bool)
    for thing, index in zip(shot.things, indices, strict=True):
        drawn[index] |= thing.mask
    counts, starts = masks.encode(drawn)
    sure = np.full(len(boxes), 0.9, np.float32)
    found = Detections(image.header, 1, prompts, "true", image.height, image.width, boxes, sure, indices)
    return found, Masks(image.header, 1, prompts, "true", image.height, image.width, counts, starts, np.ones(len(prompts), np.float32))


def noisy(depth: Image, rng: np.random.Generator) -> Image:
    """As a stereo camera sees it: errors grow with the square of depth, half of them alike over patches; millimetres, holes at edges."""
    metres = depth.data
    sigma = RGBD.depth_floor + RGBD.depth_growth * metres**2
    patches = cv2.GaussianBlur(rng.normal(size=metres.shape), (0, 0), 8)
    wrong = (rng.normal(size=metres.shape) + patches / patches.std()) / np.sqrt(2) * sigma
    measured = np.round((metres + wrong) * 1000) / 1000
    edges = cv2.dilate((np.abs(cv2.Laplacian(np.nan_to_num(metres), cv2.CV_32F)) > 0.03).astype(np.uint8), np.ones((3, 3), np.uint8))
    measured[(edges > 0) & (rng.random(metres.shape) < 0.5)] = 0
    return replace(depth, data=measured.astype(np.float32))


