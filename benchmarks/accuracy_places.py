"""Where things are and which is which: errors of positions, and switches of identity, for `tabletop_accuracy`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scipy.optimize import linear_sum_assignment

from benchmarks.accuracy_scenes import CAMERAS, FIRST_SEED
from benchmarks.accuracy_stage import Shot, Stage, faultless, noisy
from seesay.messages import Detections, Header, Image, Masks, Objects, PromptSet
from seesay.perception import Detector, ObjectTracker, Segmenter
from seesay.perception.grounding import ground
from seesay.perception.pipeline import found as with_boxes
from seesay.sim.scene import WORKSPACE, SceneObject, random_scene

STEP_S = 0.2
SPEED = 0.12
"""Metres a second of the things that move."""
SAME = 0.05
"""Metres within which an object of the tracker stands for a true one."""
Eyes = Callable[[Shot], tuple[Detections, Masks]]


def network_eyes(detector: Detector, segmenter: Segmenter, names: tuple[str, ...]) -> Eyes:
    """What the networks see, asked for the names of all things of a scene."""

    def see(shot: Shot) -> tuple[Detections, Masks]:
        prompts = PromptSet(Header(0), 1, names)
        found = detector.detect(shot.view.image, prompts)
        return found, segmenter.segment(shot.view.image, with_boxes(found, prompts))

    return see


def position_errors(detector: Detector, segmenter: Segmenter, scenes: int) -> dict[str, float]:
    """Medians in metres over all things of which at least 30 % is visible and that got a place, and the share of them that did."""
    rng = np.random.default_rng(0)
    errors: dict[str, list[float]] = {"true_depth": [], "noisy_depth": [], "embedded": [], "embedded_noisy_depth": []}
    wanted = 0
    for index in track(range(scenes), description="positions"):
        scene = random_scene(FIRST_SEED + index, "test")
        with Stage(scene) as stage:
            eyes = network_eyes(detector, segmenter, tuple(stage.things))
            for camera in CAMERAS:
                shot = stage.look(camera)
                depth, true, seen = shot.view.depth, faultless(shot, str), eyes(shot)
                measured = noisy(depth, rng)
                wanted += sum(thing.counts for thing in shot.things)
                errors["true_depth"] += misses(shot, *true, depth)
                errors["noisy_depth"] += misses(shot, *true, measured)
                errors["embedded"] += misses(shot, *seen, depth)
                errors["embedded_noisy_depth"] += misses(shot, *seen, measured)
    medians = {f"position_error_{name}_m": float(np.median(values)) for name, values in errors.items()}
    return medians | {f"placed_share_{name}": len(values) / float(wanted) for name, values in errors.items()}


def misses(shot: Shot, found: Detections, masks: Masks, depth: Image) -> list[float]:
    """Distance in metres of the observation of each thing's name that is nearest to it."""
    observations = ground(found, masks, depth, shot.view.info, shot.view.T_world_camera).observations
    distances = []
    for thing in shot.things:
        own = [float(np.linalg.norm(o.position - thing.centre)) for o in observations if o.label == thing.name]
        if thing.counts and own:
            distances.append(min(own))
    return distances


def id_switches(detector: Detector, segmenter: Segmenter, sequences: int, steps: int) -> dict[str, float]:
    """Identity switches per 1000 pictures (IDSW of CLEAR MOT, Bernardin and Stiefelhagen, 2008) on things that move and are covered.

    Boxes and masks are either true, with names that say the shape only, so that all blocks are called alike; or the networks'.
    """
    switches, frames = np.zeros(2), 0
    for number in track(range(sequences), description="identities"):
        scene = random_scene(2 * FIRST_SEED + number, "test", (5, 8))
        with Stage(scene) as stage:
            trackers = (ObjectTracker(), ObjectTracker())
            seers: tuple[Eyes, Eyes] = (
                lambda shot: faultless(shot, lambda name: name.split()[1]),
                network_eyes(detector, segmenter, tuple(stage.things)),
            )
            known: tuple[dict[str, int], dict[str, int]] = ({}, {})
            drive = _Drive(stage, np.random.default_rng(number))
            for step in range(steps):
                drive.step(step)
                shot = stage.look(CAMERAS[step % 2], int((step + 1) * STEP_S * 1e9))
                for k in range(2):
                    found, masks = seers[k](shot)
                    sights = ground(found, masks, shot.view.depth, shot.view.info, shot.view.T_world_camera)
                    switches[k] += _switched(shot, trackers[k].update(sights, found.header, shot.view), known[k])
                frames += 1
    rates = 1000 * switches / frames
    return {
        "id_switches_per_1000_frames": float(rates[0]),
        "id_switches_per_1000_frames_embedded": float(rates[1]),
        "n_sequence_frames": frames,
    }


def _switched(shot: Shot, objects: Objects, known: dict[str, int]) -> int:
    """How many visible things are another object than before; `known` is brought up to date."""
    things = [thing for thing in shot.things if thing.counts]
    tracked = [o for o in objects.objects if o.status != "lost"]
    if not things or not tracked:
        return 0
    distances = np.array([[np.linalg.norm(o.position - thing.centre) for o in tracked] for thing in things])
    # A pair that held before is kept as long as it is near enough, as CLEAR MOT does.
    kept = np.array([[known.get(thing.name) == o.id for o in tracked] for thing in things])
    cost: NDArray[np.float64] = np.where(distances < SAME, distances - 1.0 * kept, 1e3)
    switched = 0
    for row, column in zip(*linear_sum_assignment(cost), strict=True):
        if cost[row, column] < 1e3:
            name, identity = things[row].name, tracked[column].id
            switched += known.get(name, identity) != identity
            known[name] = identity
    return switched


class _Drive:
    """Moves half of a stage's things about without collisions, and a board above the table that covers some for a while."""

    def __init__(self, stage: Stage, rng: np.random.Generator) -> None:
        self._stage, self._rng = stage, rng
        names = list(stage.things)
        self._heading: dict[str, float] = {name: rng.uniform(0, 2 * np.pi) for name in names[: len(names) // 2 + 1]}

    def step(self, number: int) -> None:
        phase = 2 * np.pi * number / 25
        self._stage.hold_board(0.12 * np.cos(phase), -0.12 + 0.08 * np.sin(2 * phase), 0.3)
        for name in self._heading:
            for _ in range(8):
                thing = self._stage.things[name]
                x = thing.position[0] + SPEED * STEP_S * np.cos(self._heading[name])
                y = thing.position[1] + SPEED * STEP_S * np.sin(self._heading[name])
                if self._free(thing, x, y):
                    self._stage.put(name, x, y)
                    break
                self._heading[name] = self._rng.uniform(0, 2 * np.pi)

    def _free(self, thing: SceneObject, x: float, y: float) -> bool:
        inside = all(low + thing.radius < value < high - thing.radius for value, (low, high) in zip((x, y), WORKSPACE, strict=True))
        others: list[Any] = [other for other in self._stage.things.values() if other.name != thing.name]
        return inside and all(np.hypot(x - o.position[0], y - o.position[1]) > thing.radius + o.radius + 0.006 for o in others)
