"""MuJoCo's XML for a scene: object geometry, table, lights and cameras.

Each hollow object shows a lathe mesh (group 2, no contacts) and touches by convex pieces (group 3, not drawn): a single concave
mesh would collide as its convex hull.
"""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import mujoco
import numpy as np
from numpy.typing import NDArray

from seesay.sim import textures
from seesay.sim.scene import CameraPose, Scene, SceneObject

WIDTH, HEIGHT = 320, 240
VISUAL, COLLISION = 2, 3
WALL = 0.0045
"""Wall thickness of hollow objects in metres."""
DENSITY = 350.0

HEADER = f"""
<compiler angle="radian" autolimits="true"/>
<statistic extent="1" center="0 0 0"/>
<visual>
  <global offwidth="{WIDTH * 4}" offheight="{HEIGHT * 4}"/>
  <map znear="0.05" zfar="6"/>
  <quality offsamples="4" shadowsize="1024"/>
</visual>
"""


def numbers(values: object) -> str:
    return " ".join(f"{float(v):.6g}" for v in np.asarray(values, np.float64).ravel())


def lathe(profile: list[tuple[float, float]], segments: int = 28) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mesh of a profile of (radius, z) turned about z: vertices (N, 3) metres and triangles (M, 3) wound outwards."""
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    rings = [np.stack([r * np.cos(angles), r * np.sin(angles), np.full(segments, z)], 1) for r, z in profile]
    faces = []
    for k in range(len(profile) - 1):
        for i in range(segments):
            a, b = k * segments + i, k * segments + (i + 1) % segments
            c, d = a + segments, b + segments
            faces += [[a, b, d], [a, d, c]]
    return np.concatenate(rings), np.array(faces)


def profile(thing: SceneObject) -> list[tuple[float, float]]:
    """(radius, z) outline of a hollow object about its centre, from the outside of the base over the rim to the inside."""
    radius, height = thing.size
    half, tiny = height / 2, 1e-4
    base = {"bowl": 0.55, "cup": 0.8, "plate": 0.6}[thing.shape] * radius
    floor = -half + WALL
    inner = max(base - WALL, tiny)
    if thing.shape == "bowl":
        middle = (base + (radius - base) * 0.75, -half + height * 0.45)
        return [(tiny, -half), (base, -half), middle, (radius, half), (radius - WALL, half), (middle[0] - WALL, middle[1] + 0.002),
                (inner, floor), (tiny, floor)]  # fmt: skip
    return [(tiny, -half), (base, -half), (radius, half), (radius - WALL, half), (inner, floor), (tiny, floor)]


def hollow_pieces(thing: SceneObject, material: str) -> str:
    """Collision geoms of a hollow object: tilted boxes around and an octagon below."""
    radius, height = thing.size
    outline = profile(thing)
    half, base = height / 2, outline[1][0]
    count, parts = 16, []
    slope = np.arctan2(radius - base, height)
    length = np.hypot(radius - base, height) / 2
    for k in range(count):
        angle = 2 * np.pi * k / count
        middle = (base + radius) / 2 - WALL / 2
        width = np.pi * radius / count * 1.02
        spot = (middle * np.cos(angle), middle * np.sin(angle), 0.0005)
        parts.append(
            f'<geom type="box" group="{COLLISION}" size="{numbers([WALL / 2, width, length])}" pos="{numbers(spot)}" '
            f'euler="{numbers([0, slope, 0])}" mass="0"/>'
            if k == 0
            else f'<geom type="box" group="{COLLISION}" size="{numbers([WALL / 2, width, length])}" pos="{numbers(spot)}" '
            f'quat="{numbers(_turn(angle, slope))}" mass="0"/>'
        )
    flat = numbers([base * np.cos(np.pi / 8), base * np.sin(np.pi / 8), WALL / 2])
    for k in range(4):  # an octagon of boxes: a thin cylinder against a box can yield a contact centimetres deep
        parts.append(
            f'<geom type="box" group="{COLLISION}" size="{flat}" pos="0 0 {-half + WALL / 2:.5g}" '
            f'quat="{numbers(_turn(k * np.pi / 4, 0))}" mass="0"/>'
        )
    return "".join(parts)


def _turn(angle: float, slope: float) -> NDArray[np.float64]:
    """Quaternion (w, x, y, z) of a turn by `slope` about y, then by `angle` about z."""
    first = np.array([np.cos(slope / 2), 0, np.sin(slope / 2), 0])
    second = np.array([np.cos(angle / 2), 0, 0, np.sin(angle / 2)])
    result = np.zeros(4)
    mujoco.mju_mulQuat(result, second, first)
    return result


def object_geoms(thing: SceneObject, name: str) -> tuple[str, str]:
    """(assets, geoms) of one object in its own frame, whose origin is the centre of its bounding box."""
    key = name.replace(" ", "_")
    look = f'material="look_{key}"'
    asset = (
        f'<material name="look_{key}" texture="tint{thing.texture}" rgba="{numbers([*thing.rgb, 1])}" '
        'specular="0.25" shininess="0.3" texuniform="true"/>'
    )
    if thing.shape == "block":
        half = numbers([thing.size[0] / 2] * 3)
        return asset, f'<geom name="{key}" type="box" group="{VISUAL}" size="{half}" density="{DENSITY}" {look}/>'
    if thing.shape == "ball":
        return asset, f'<geom name="{key}" type="sphere" group="{VISUAL}" size="{numbers([thing.size[0]])}" density="{DENSITY}" {look}/>'
    radius, height = thing.size
    if thing.shape == "can":
        lid = f'pos="0 0 {height / 2:.5g}" size="{numbers([radius * 0.86, 0.0006])}"'
        return asset, (
            f'<geom name="{key}" type="cylinder" group="{VISUAL}" size="{numbers([radius, height / 2])}" density="{DENSITY * 0.6}" {look}/>'
            f'<geom type="cylinder" group="{VISUAL}" {lid} rgba="0.75 0.75 0.77 1" contype="0" conaffinity="0" mass="0"/>'
        )
    vertices, faces = lathe(profile(thing))
    mesh = f'<mesh name="mesh_{key}" inertia="shell" vertex="{numbers(vertices)}" face="{" ".join(map(str, faces.ravel()))}"/>'
    shown = f'<geom name="{key}" type="mesh" mesh="mesh_{key}" group="{VISUAL}" contype="0" conaffinity="0" mass="0" {look}/>'
    return asset + mesh, shown + hollow_pieces(thing, look)


def inertial(thing: SceneObject) -> str:
    """Explicit mass for hollow objects, whose geoms are massless; empty for the others."""
    if thing.shape not in ("bowl", "cup", "plate"):
        return ""
    radius, height = thing.size
    mass = {"bowl": 0.18, "cup": 0.06, "plate": 0.16}[thing.shape]
    across, about = mass * (radius**2 / 2 + height**2 / 12), mass * radius**2 * 0.8
    return f'<inertial pos="0 0 {-height / 6:.5g}" mass="{mass}" diaginertia="{numbers([across, across, about])}"/>'


def camera_xml(name: str, pose: CameraPose) -> str:
    return f'<camera name={quoteattr(name)} pos="{numbers(pose.position)}" xyaxes="{numbers(camera_axes(pose))}" fovy="{pose.fovy:.5g}"/>'


def camera_axes(pose: CameraPose) -> NDArray[np.float64]:
    """`(2, 3)` right and up directions of a camera that keeps the world's z upwards."""
    forward = np.subtract(pose.target, pose.position)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1])
    right = right / np.linalg.norm(right)
    return np.stack([right, np.cross(right, forward)])


def room_assets(table: str, floor: str, seed: int) -> tuple[str, dict[str, bytes]]:
    """Textures and materials of the table, the floor and the objects."""
    rng = np.random.default_rng([seed, 7])
    files = {"table.png": textures.png(textures.surface(table, rng)), "floor.png": textures.png(textures.surface(floor, rng))}
    files |= {f"tint{k}.png": textures.png(textures.tint(k, rng)) for k in range(4)}
    xml = "".join(
        f'<texture name="{name}" type="2d" file="{name}.png"/>'
        f'<material name="{name}" texture="{name}" texrepeat="{repeat}" specular="0.1"/>'
        for name, repeat in (("table", "1 1"), ("floor", "3 3"))
    )
    xml += "".join(f'<texture name="tint{k}" type="2d" file="tint{k}.png"/>' for k in range(4))
    return xml, files


ROOM = f"""
<geom name="table" type="box" group="{VISUAL}" size="0.36 0.31 0.02" pos="0 0 -0.02" material="table"/>
<geom name="floor" type="plane" group="{VISUAL}" size="3 3 0.1" pos="0 0 -0.6" material="floor"/>
"""


def clutter_xml(scene_seed: int, count: int) -> str:
    """Things outside the vocabulary (grey and wooden rods and pegs) near the table's edge, not movable."""
    rng = np.random.default_rng([scene_seed, 11])
    parts = []
    for _ in range(count):
        side = int(rng.integers(0, 4))
        along = rng.uniform(-0.25, 0.25)
        spot = [(along, 0.245), (along, -0.245), (0.29, along * 0.8), (-0.29, along * 0.8)][side]
        kind = str(rng.choice(["capsule", "ellipsoid", "box"]))
        size = {"capsule": [0.006, rng.uniform(0.03, 0.06)], "ellipsoid": [0.03, 0.014, 0.01], "box": [0.04, 0.025, 0.004]}[kind]
        grey = rng.uniform(0.35, 0.65)
        rgba = [grey + rng.uniform(0, 0.1), grey, grey - rng.uniform(0, 0.1), 1]
        turn = rng.uniform(0, np.pi)
        angles = [np.pi / 2, 0, turn] if kind == "capsule" else [0, 0, turn]
        parts.append(
            f'<geom type="{kind}" group="{VISUAL}" size="{numbers(size)}" pos="{numbers([*spot, 0.012])}" euler="{numbers(angles)}" '
            f'rgba="{numbers(rgba)}"/>'
        )
    return "".join(parts)


def build(scene: Scene, *, extra_world: str = "", extra_assets: str = "", extra: str = "") -> mujoco.MjModel:
    """Compile a scene with free bodies, named as the objects ("red block").

    `extra_world` is XML within worldbody (an arm), `extra_assets` within asset, `extra` at top level (actuators, options, defaults).
    """
    assets, files = room_assets(scene.table_texture, scene.floor_texture, scene.seed)
    bodies = []
    for thing in scene.objects:
        asset, geoms = object_geoms(thing, thing.name)
        assets += asset
        quat = [np.cos(thing.yaw / 2), 0, 0, np.sin(thing.yaw / 2)]
        bodies.append(
            f'<body name="{thing.name}" pos="{numbers(thing.position)}" quat="{numbers(quat)}"><freejoint/>{inertial(thing)}{geoms}</body>'
        )
    lights = "".join(
        f'<light pos="{numbers(light.position)}" dir="{numbers(np.subtract(light.target, light.position))}" '
        f'diffuse="{numbers(light.diffuse)}" specular="0.2 0.2 0.2" castshadow="false"/>'
        for light in scene.lights
    )
    cameras = "".join(camera_xml(name, pose) for name, pose in scene.cameras.items())
    ambient = f'<visual><headlight ambient="{numbers([scene.ambient] * 3)}" diffuse="0.1 0.1 0.1" specular="0 0 0"/></visual>'
    xml = (
        f"<mujoco>{HEADER}{ambient}{extra}<asset>{assets}{extra_assets}</asset>"
        f"<worldbody>{ROOM}{clutter_xml(scene.seed, scene.clutter)}{lights}{cameras}{''.join(bodies)}{extra_world}</worldbody></mujoco>"
    )
    return mujoco.MjModel.from_xml_string(xml, files)
