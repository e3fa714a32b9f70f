"""What lies on the table: random scenes by seed, as plain data.

A scene of the `train` split draws its textures and lights from other families and ranges than one of the `test` split, so that figures
measured on `test` speak of looks that training never showed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SHAPES = ("block", "bowl", "cup", "can", "ball", "plate")
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.80, 0.07, 0.07),
    "orange": (0.95, 0.42, 0.04),
    "yellow": (0.95, 0.82, 0.08),
    "green": (0.08, 0.55, 0.14),
    "cyan": (0.10, 0.75, 0.80),
    "blue": (0.08, 0.20, 0.75),
    "purple": (0.42, 0.12, 0.62),
    "pink": (0.96, 0.47, 0.66),
    "white": (0.93, 0.93, 0.92),
    "black": (0.07, 0.07, 0.08),
}
"""Base colour of each name, linear RGB in [0, 1], before jitter."""

PICKABLE = ("block", "ball", "can", "cup")
WORKSPACE = ((-0.21, 0.21), (-0.16, 0.16))
"""x and y range in metres in which objects lie."""

HELD_OUT = frozenset(
    {("red", "cup"), ("green", "ball"), ("blue", "can"), ("yellow", "plate"), ("purple", "block"), ("orange", "bowl")}
)
"""Colour-shape pairs that the evaluation-only checkpoint never sees."""

Split = Literal["train", "test"]
TEXTURES: dict[Split, tuple[str, ...]] = {
    "train": ("flat", "checker", "stripes", "noise", "speckle", "gradient"),
    "test": ("rings", "bricks", "plaid", "clouds"),
}


@dataclass(frozen=True)
class SceneObject:
    """One thing on the table.

    size: metres; block (edge,), ball (radius,), can, cup, bowl, plate (outer radius, height).
    position: `(3,)` metres, the centre of the object's bounding box in the world. yaw: radians about z. rgb: linear, in [0, 1].
    """

    colour: str
    shape: str
    size: tuple[float, ...]
    position: tuple[float, float, float]
    yaw: float
    rgb: tuple[float, float, float]
    texture: int = 0

    @property
    def name(self) -> str:
        return f"{self.colour} {self.shape}"

    @property
    def radius(self) -> float:
        """Radius of the footprint's circumscribed circle, metres."""
        return self.size[0] * 0.7072 if self.shape == "block" else self.size[0]

    @property
    def height(self) -> float:
        """Full height in metres."""
        return {"block": self.size[0], "ball": 2 * self.size[0]}.get(self.shape) or self.size[1]


@dataclass(frozen=True)
class Light:
    """A light: `position` and `target` in metres, `diffuse` linear RGB."""

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    diffuse: tuple[float, float, float]


@dataclass(frozen=True)
class CameraPose:
    """A camera at `position` looking at `target` (metres, world), `fovy` vertical field of view in degrees."""

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    fovy: float


@dataclass(frozen=True)
class Scene:
    """All that is needed to build the simulator's model."""

    seed: int
    split: Split
    objects: tuple[SceneObject, ...]
    cameras: dict[str, CameraPose]
    lights: tuple[Light, ...]
    ambient: float
    table_texture: str
    floor_texture: str
    clutter: int


def place_camera(azimuth: float, elevation: float, distance: float, target: Sequence[float], fovy: float) -> CameraPose:
    """Camera on a sphere about `target`: azimuth and elevation in degrees, azimuth -90 looks along +y."""
    a, e = np.radians(azimuth), np.radians(elevation)
    offset = distance * np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    x, y, z = (float(v) for v in np.asarray(target) + offset)
    return CameraPose((x, y, z), (float(target[0]), float(target[1]), float(target[2])), fovy)


def random_cameras(rng: np.random.Generator) -> dict[str, CameraPose]:
    """The two cameras of the table, each mounted a little differently in every scene."""
    front = place_camera(-90 + rng.uniform(-4, 4), rng.uniform(60, 66), rng.uniform(0.76, 0.82), (0, -0.005, 0.0), 30.0)
    side = place_camera(-28 + rng.uniform(-5, 5), rng.uniform(50, 56), rng.uniform(0.80, 0.86), (0, 0, 0.0), 31.0)
    return {"front": front, "side": side}


def random_lights(rng: np.random.Generator, split: Split) -> tuple[tuple[Light, ...], float]:
    """One to three lights and the ambient level; the test split has other directions, tints and levels."""
    sector = (0, 210) if split == "train" else (210, 360)
    tint_range = 0.12 if split == "train" else 0.2
    lights = []
    for _ in range(int(rng.integers(1, 4))):
        azimuth, elevation = np.radians(rng.uniform(*sector)), np.radians(rng.uniform(35, 85))
        position = 1.6 * np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
        tint = rng.uniform(-tint_range, tint_range)
        level = rng.uniform(0.3, 0.75) if split == "train" else rng.uniform(0.25, 0.85)
        diffuse = np.clip(level * np.array([1 + tint, 1, 1 - tint]), 0, 1)
        lights.append(Light(_triple(position), (0.0, 0.0, 0.0), _triple(diffuse)))
    total = sum(light.diffuse[1] for light in lights)
    scale = min(1.0, 1.1 / total)
    lights = [Light(light.position, light.target, _triple(np.array(light.diffuse) * scale)) for light in lights]
    return tuple(lights), float(rng.uniform(0.22, 0.5))


def random_object(
    rng: np.random.Generator, colour: str, shape: str, position: tuple[float, float] = (0.0, 0.0), below: float = 0.0
) -> SceneObject:
    """An object of random size and shade, standing at `position` on a support at height `below` metres."""
    size = {
        "block": (rng.uniform(0.042, 0.052),),
        "ball": (rng.uniform(0.021, 0.026),),
        "can": (rng.uniform(0.024, 0.029), rng.uniform(0.075, 0.095)),
        "cup": (rng.uniform(0.029, 0.034), rng.uniform(0.060, 0.075)),
        "bowl": (rng.uniform(0.054, 0.064), rng.uniform(0.035, 0.045)),
        "plate": (rng.uniform(0.060, 0.070), 0.018),
    }[shape]
    rgb = np.clip(np.array(COLOURS[colour]) * rng.uniform(0.88, 1.1) + rng.uniform(-0.025, 0.025, 3), 0.02, 1)
    made = SceneObject(
        colour, shape, tuple(float(s) for s in size), (0, 0, 0), float(rng.uniform(-np.pi, np.pi)), _triple(rgb), int(rng.integers(0, 4))
    )
    return move(made, position, below)


def move(thing: SceneObject, position: tuple[float, float], below: float = 0.0) -> SceneObject:
    """The same object at another place, standing on a support at height `below`."""
    where = (float(position[0]), float(position[1]), below + thing.height / 2)
    return SceneObject(thing.colour, thing.shape, thing.size, where, thing.yaw, thing.rgb, thing.texture)


def scatter(
    rng: np.random.Generator,
    names: Sequence[tuple[str, str]],
    gap: float = 0.022,
    keep_clear: Sequence[tuple[float, float, float]] = (),
) -> tuple[SceneObject, ...] | None:
    """Put (colour, shape) things at random free places, at least `gap` metres apart and off the `keep_clear` circles (x, y, radius).

    Returns None when they do not fit.
    """
    (x_low, x_high), (y_low, y_high) = WORKSPACE
    placed: dict[int, SceneObject] = {}
    order = sorted(range(len(names)), key=lambda i: names[i][1] not in ("bowl", "plate"))
    for index in order:
        thing = random_object(rng, *names[index])
        for _ in range(200):
            margin = min(thing.radius, 0.06)
            x, y = rng.uniform(x_low + margin, x_high - margin), rng.uniform(y_low + margin, y_high - margin)
            free = all(np.hypot(x - o.position[0], y - o.position[1]) > o.radius + thing.radius + gap for o in placed.values())
            clear = all(np.hypot(x - cx, y - cy) > thing.radius + r for cx, cy, r in keep_clear)
            if free and clear:
                placed[index] = move(thing, (x, y))
                break
        else:
            return None
    return tuple(placed[i] for i in range(len(names)))


def random_scene(seed: int, split: Split = "test", count: tuple[int, int] = (4, 10), exclude: Collection[tuple[str, str]] = ()) -> Scene:
    """A scene of `count` (low, high, inclusive) different objects; pairs in `exclude` never occur."""
    rng = np.random.default_rng([seed, 0 if split == "train" else 1])
    pairs = [(c, s) for c in COLOURS for s in SHAPES if (c, s) not in exclude]
    while True:
        number = int(rng.integers(count[0], count[1] + 1))
        chosen = [pairs[i] for i in rng.choice(len(pairs), number, replace=False)]
        objects = scatter(rng, chosen, gap=0.004)
        if objects is not None:
            return dress(rng, seed, split, objects)


def dress(rng: np.random.Generator, seed: int, split: Split, objects: tuple[SceneObject, ...]) -> Scene:
    """Add random cameras, lights, textures and clutter to `objects`."""
    lights, ambient = random_lights(rng, split)
    table, floor = (str(rng.choice(TEXTURES[split])) for _ in range(2))
    return Scene(seed, split, objects, random_cameras(rng), lights, ambient, table, floor, int(rng.integers(0, 4)))


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))
