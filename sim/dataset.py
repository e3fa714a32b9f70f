"""Training pictures: random tabletop scenes rendered to disk, by seed, resumable.

One compiled model with a pool of objects serves many pictures: poses, colours, textures, lights and the camera change between two
renders, so that a picture costs its drawing and little more. `python -m seesay.sim.dataset OUT --scenes 20000` writes shards of
`images (N, H, W, 3) uint8 RGB`, `labels (N, H, W) uint8` (0 = background, k = object k of the table) and
`objects (N, 12, 8) float32`: colour index, shape index, x0, y0, x1, y1 of the visible part in pixels, visible pixels, whole pixels;
-1 = none.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from seesay.sim import scene as scenes
from seesay.sim import textures
from seesay.sim.mjcf import HEADER, HEIGHT, ROOM, VISUAL, WALL, WIDTH, camera_axes, numbers, object_geoms, profile
from seesay.sim.render import Renderer, intrinsics, optical_pose
from seesay.sim.scene import COLOURS, HELD_OUT, PICKABLE, SHAPES, CameraPose, SceneObject, Split

SLOTS = 12
VARIANTS = 5
SURFACES = 6
PER_MODEL = 250
SHARD = 500
AWAY = (0.0, 0.0, -50.0)

Drawn = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]


def silhouette_area(thing: SceneObject, k: NDArray[np.float64], optical: NDArray[np.float64]) -> float:
    """Pixels that the whole object would cover if nothing hid it: the hull of its projected outline (all are convex from outside)."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    if thing.shape == "block":
        half = thing.size[0] / 2
        points = np.array([[x, y, z] for x in (-half, half) for y in (-half, half) for z in (-half, half)])
        cos, sin = np.cos(thing.yaw), np.sin(thing.yaw)
        points = points @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    elif thing.shape == "ball":
        centre = np.linalg.inv(optical) @ [*thing.position, 1]
        return float(np.pi * (k[0, 0] * thing.size[0] / centre[2]) ** 2)
    else:
        half = thing.height / 2
        rings = [(thing.size[0], half), (thing.size[0], -half)] if thing.shape == "can" else profile(thing)[1:-1]
        points = np.array([[r * np.cos(a), r * np.sin(a), z] for r, z in rings for a in angles])
    world = np.c_[points + thing.position, np.ones(len(points))]
    camera = (np.linalg.inv(optical) @ world.T)[:3]
    pixels = (k @ camera / camera[2])[:2].T.astype(np.float32)
    return float(cv2.contourArea(cv2.convexHull(pixels)))


class Pool:
    """A compiled model that is dressed anew for every picture."""

    def __init__(self, rng: np.random.Generator, split: Split) -> None:
        self.split: Split = split
        self.things = [scenes.random_object(rng, "white", shape) for shape in SHAPES for _ in range(VARIANTS)]
        files = {f"surface{k}.png": textures.png(textures.surface(str(rng.choice(scenes.TEXTURES[split])), rng)) for k in range(SURFACES)}
        files |= {f"tint{k}.png": textures.png(textures.tint(k, rng)) for k in range(4)}
        assets = "".join(
            f'<texture name="surface{k}" type="2d" file="surface{k}.png"/>'
            f'<material name="surface{k}" texture="surface{k}" texrepeat="{numbers(rng.uniform(1, 3, 2))}" specular="0.1"/>'
            for k in range(SURFACES)
        )
        assets += "".join(f'<texture name="tint{k}" type="2d" file="tint{k}.png"/>' for k in range(4))
        bodies = ""
        for i, thing in enumerate(self.things):
            asset, geoms = object_geoms(thing, f"thing{i}")
            assets += asset
            bodies += f'<body name="thing{i}" mocap="true" pos="{numbers(AWAY)}">{geoms}</body>'
        fingers = "".join(
            f'<body name="finger{k}" mocap="true" pos="{numbers(AWAY)}"><geom type="box" group="{VISUAL}" size="0.005 0.01 0.03"/>'
            f'<geom type="box" group="{VISUAL}" size="0.008 0.014 0.02" pos="0 0 0.05"/></body>'
            for k in range(2)
        )
        palm = (
            f'<body name="palm" mocap="true" pos="{numbers(AWAY)}"><geom type="box" group="{VISUAL}" size="0.06 0.02 0.012"/>'
            f'<geom type="cylinder" group="{VISUAL}" size="0.018 0.2" pos="0 0 0.2"/></body>'
        )
        clutter = "".join(
            f'<body name="clutter{k}" mocap="true" pos="{numbers(AWAY)}"><geom type="{kind}" group="{VISUAL}" size="{size}"/></body>'
            for k, (kind, size) in enumerate(
                [("capsule", "0.006 0.045"), ("ellipsoid", "0.03 0.014 0.01"), ("box", "0.04 0.025 0.004"), ("capsule", "0.004 0.06")]
            )
        )
        room = ROOM.replace('material="table"', 'material="surface0"').replace('material="floor"', 'material="surface1"')
        lights = "".join(f'<light name="l{k}" castshadow="false"/>' for k in range(3))
        xml = (
            f"<mujoco>{HEADER}<asset>{assets}</asset><worldbody>{room}{lights}<camera name='view'/>"
            f"{bodies}{fingers}{palm}{clutter}</worldbody></mujoco>"
        )
        self.model = mujoco.MjModel.from_xml_string(xml, files)
        self.data = mujoco.MjData(self.model)
        self.renderer = Renderer(self.model)

    def _put(self, name: str, position: object, quat: object = (1, 0, 0, 0)) -> int:
        body = self.model.body(name).id
        mocap = int(self.model.body_mocapid[body])
        self.data.mocap_pos[mocap] = position
        self.data.mocap_quat[mocap] = quat
        return int(body)

    def _colour(self, body: int, rgb: object) -> None:
        """Colour of a body's first geom; blank lids keep theirs."""
        geom = int(self.model.body_geomadr[body])
        material = int(self.model.geom_matid[geom])
        if material >= 0:
            self.model.mat_rgba[material, :3] = rgb
        else:
            count = int(self.model.body_geomnum[body])
            self.model.geom_rgba[geom : geom + count, :3] = rgb

    def draw(self, rng: np.random.Generator, exclude: Collection[tuple[str, str]]) -> Drawn:
        """One random picture: image `(H, W, 3) uint8` RGB, labels `(H, W) uint8`, objects `(SLOTS, 8) float32` as the module says."""
        self.data.mocap_pos[:] = AWAY
        placed = self._arrange(rng, exclude)
        bodies = {}
        for slot, (index, thing) in enumerate(placed):
            body = self._put(f"thing{index}", thing.position, [np.cos(thing.yaw / 2), 0, 0, np.sin(thing.yaw / 2)])
            self._colour(body, thing.rgb)
            bodies[body] = slot
        self._surroundings(rng, placed)
        pose = self._view(rng)
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)
        image = self.renderer.colour(self.data, "view")
        seen = self.renderer.bodies(self.data, "view")
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        table = np.full((SLOTS, 8), -1, np.float32)
        camera = self.model.camera("view").id
        optical = optical_pose(self.data.cam_xpos[camera], self.data.cam_xmat[camera])
        k = intrinsics(pose.fovy)
        for body, slot in bodies.items():
            mask = seen == body
            visible = int(mask.sum())
            if visible < 12:
                continue
            labels[mask] = slot + 1
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            thing = placed[slot][1]
            table[slot] = [
                list(COLOURS).index(thing.colour), SHAPES.index(thing.shape), columns[0], rows[0], columns[-1] + 1, rows[-1] + 1,
                visible, max(silhouette_area(thing, k, optical), visible),
            ]  # fmt: skip
        return image, labels, table

    def _arrange(self, rng: np.random.Generator, exclude: Collection[tuple[str, str]]) -> list[tuple[int, SceneObject]]:
        """Choose pool objects with different names and lay them out; some lie in, on or above others."""
        while True:
            number = int(rng.integers(3, 11))
            slots = rng.choice(len(self.things), number, replace=False)
            names: set[tuple[str, str]] = set()
            chosen: list[tuple[int, SceneObject]] = []
            for index in slots:
                thing = self.things[int(index)]
                free = [c for c in COLOURS if (c, thing.shape) not in exclude and (c, thing.shape) not in names]
                colour = str(rng.choice(free))
                names.add((colour, thing.shape))
                fresh = scenes.random_object(rng, colour, thing.shape)
                chosen.append((int(index), replace(fresh, size=thing.size)))
            laid = self._lay(rng, chosen)
            if laid is not None:
                return laid

    def _lay(self, rng: np.random.Generator, chosen: list[tuple[int, SceneObject]]) -> list[tuple[int, SceneObject]] | None:
        done: list[tuple[int, SceneObject]] = []
        standing: list[SceneObject] = []
        carriers: list[SceneObject] = []
        for index, thing in sorted(chosen, key=lambda c: c[1].shape not in ("bowl", "plate")):
            if thing.shape in PICKABLE and carriers and rng.random() < 0.25:
                carrier = carriers.pop(int(rng.integers(len(carriers))))
                sunk = {"bowl": WALL + 0.003, "plate": WALL + 0.001}.get(carrier.shape, carrier.height)
                base = carrier.position[2] - carrier.height / 2
                spread = 0.012 if carrier.shape in ("bowl", "plate") else 0.005
                spot = (carrier.position[0] + rng.uniform(-spread, spread), carrier.position[1] + rng.uniform(-spread, spread))
                done.append((index, scenes.move(thing, spot, base + sunk)))
                continue
            (x_low, x_high), (y_low, y_high) = scenes.WORKSPACE
            for _ in range(100):
                spot = (rng.uniform(x_low + 0.03, x_high - 0.03), rng.uniform(y_low + 0.03, y_high - 0.03))
                if all(np.hypot(spot[0] - o.position[0], spot[1] - o.position[1]) > o.radius + thing.radius + 0.002 for o in standing):
                    break
            else:
                return None
            put = scenes.move(thing, spot)
            standing.append(put)
            if thing.shape in ("bowl", "plate", "block"):
                carriers.append(put)
            done.append((index, put))
        return done

    def _surroundings(self, rng: np.random.Generator, placed: list[tuple[int, SceneObject]]) -> None:
        """Lights, surfaces, clutter and, now and then, a gripper over one of the objects."""
        model = self.model
        lights, ambient = scenes.random_lights(rng, self.split)
        model.vis.headlight.ambient[:] = ambient
        model.vis.headlight.diffuse[:] = 0.1
        model.vis.headlight.specular[:] = 0
        for k in range(3):
            model.light_diffuse[k] = lights[k].diffuse if k < len(lights) else (0, 0, 0)
            if k < len(lights):
                model.light_pos[k] = lights[k].position
                model.light_dir[k] = np.subtract(lights[k].target, lights[k].position) / 1.6
            model.light_specular[k] = 0.2
        surfaces = [model.material(f"surface{k}").id for k in range(SURFACES)]
        model.geom_matid[model.geom("table").id] = rng.choice(surfaces)
        model.geom_matid[model.geom("floor").id] = rng.choice(surfaces)
        for k in range(int(rng.integers(0, 5))):
            tilt = [np.sqrt(0.5), 0, np.sqrt(0.5), 0] if k in (0, 3) else [1, 0, 0, 0]
            spin, turn = np.zeros(4), rng.uniform(0, np.pi)
            mujoco.mju_mulQuat(spin, np.array([np.cos(turn), 0, 0, np.sin(turn)]), np.array(tilt))
            body = self._put(f"clutter{k}", (rng.uniform(-0.28, 0.28), rng.uniform(-0.25, 0.25), 0.008), spin)
            grey = rng.uniform(0.3, 0.7)
            self._colour(body, [grey + rng.uniform(0, 0.1), grey, grey - rng.uniform(0, 0.1)])
        if rng.random() < 0.15:
            self._gripper(rng, placed[int(rng.integers(len(placed)))])

    def _gripper(self, rng: np.random.Generator, held: tuple[int, SceneObject]) -> None:
        thing = held[1]
        grey = rng.uniform(0.1, 0.6)
        reach = min(thing.radius if thing.shape != "block" else thing.size[0] / 2, 0.045) + 0.005 + rng.uniform(0, 0.02)
        above = rng.uniform(0.005, 0.05)
        top = thing.position[2] + thing.height / 2 + above
        turn = np.array([np.cos(thing.yaw / 2), 0, 0, np.sin(thing.yaw / 2)])
        offset = np.array([np.cos(thing.yaw), np.sin(thing.yaw), 0]) * reach
        for k, sign in enumerate((-1, 1)):
            body = self._put(f"finger{k}", np.array([thing.position[0], thing.position[1], top]) + sign * offset, turn)
            self._colour(body, [grey] * 3)
        body = self._put("palm", (thing.position[0], thing.position[1], top + 0.08), turn)
        self._colour(body, [grey] * 3)

    def _view(self, rng: np.random.Generator) -> CameraPose:
        kind = rng.random()
        if kind < 0.7:
            pose = scenes.random_cameras(rng)["front" if kind < 0.4 else "side"]
        else:
            target = (rng.uniform(-0.08, 0.08), rng.uniform(-0.06, 0.06), 0.0)
            pose = scenes.place_camera(rng.uniform(-180, 180), rng.uniform(42, 80), rng.uniform(0.65, 0.95), target, rng.uniform(18, 32))
        camera = self.model.camera("view").id
        right, up = camera_axes(pose)
        quat = np.zeros(4)
        mujoco.mju_mat2Quat(quat, np.stack([right, up, np.cross(right, up)], axis=1).ravel())
        self.model.cam_pos[camera], self.model.cam_quat[camera], self.model.cam_fovy[camera] = pose.position, quat, pose.fovy
        return pose

    def close(self) -> None:
        self.renderer.close()


def write(out: Path, count: int, split: Split, seed: int, exclude: Collection[tuple[str, str]], show: bool = True) -> None:
    """Write `count` pictures as shards of SHARD into `out`; shards already there are kept. Seed and number give a shard's content."""
    out.mkdir(parents=True, exist_ok=True)
    shards = range((count + SHARD - 1) // SHARD)
    for shard in track(shards, description=f"rendering {out.name}", disable=not show):
        path = out / f"{shard:04d}.npz"
        if path.exists():
            continue
        rng = np.random.default_rng([seed, shard, 0 if split == "train" else 1])
        rows = []
        for start in range(0, min(SHARD, count - shard * SHARD), PER_MODEL):
            pool = Pool(rng, split)
            rows += [pool.draw(rng, exclude) for _ in range(min(PER_MODEL, count - shard * SHARD - start, SHARD - start))]
            pool.close()
        images, labels, objects = (np.stack(part) for part in zip(*rows, strict=True))
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            np.savez(file, images=images, labels=labels, objects=objects)
        temporary.rename(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scenes", type=int, default=20_000)
    parser.add_argument("--split", choices=("train", "test"), default="train")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hold-out", action="store_true", help="leave the colour-shape pairs of sim.scene.HELD_OUT out")
    arguments = parser.parse_args()
    write(arguments.out, arguments.scenes, arguments.split, arguments.seed, HELD_OUT if arguments.hold_out else ())


if __name__ == "__main__":
    main()
