"""The simulated tabletop: physics of a scene with the arm, on its own clock."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from seesay.messages import ArmCommand, ArmState, Header
from seesay.sim import arm, mjcf
from seesay.sim.scene import Scene, SceneObject

log = logging.getLogger(__name__)

CONTROL_STEPS = 5
"""Physics steps of 2 ms in one control period."""
_ROLLING = ("ball", "can", "cup")


@dataclass(frozen=True, eq=False)
class Pose:
    """True pose of one object: `position` (3,) float64 metres of its bounding box's centre, `upright` cosine between its axis and the
    vertical, `yaw` radians about z."""

    thing: SceneObject
    position: NDArray[np.float64]
    upright: float
    yaw: float


class World:
    """A scene in motion. Deterministic: the same scene and commands at the same times give the same states.

    `model` and `data` are MuJoCo's, for renderers. Objects settle for `settle_s` seconds before the clock starts at 0.
    """

    def __init__(self, scene: Scene, settle_s: float = 0.2) -> None:
        mujoco.set_mju_user_warning(_warn)  # else MuJoCo writes MUJOCO_LOG.TXT into the working directory
        self.scene = scene
        self.model = mjcf.build(scene, extra_world=arm.WORLD_XML, extra=arm.TOP_XML)
        _set_contacts(self.model, scene)
        self.data = mujoco.MjData(self.model)
        self._driver = arm.ArmDriver(self.model, self.data)
        self._period = float(self.model.opt.timestep) * CONTROL_STEPS
        self._owed = 0.0
        self._sequence = 0
        mujoco.mj_forward(self.model, self.data)
        self.step(settle_s)
        self.data.time = 0.0
        self._owed = 0.0

    @property
    def time_ns(self) -> int:
        """Simulated time in nanoseconds."""
        return round(float(self.data.time) * 1e9)

    def step(self, seconds: float) -> None:
        """Advance by `seconds`, in whole control periods of 10 ms; the rest is carried to the next call."""
        self._owed += seconds
        while self._owed > self._period - 1e-9:
            self._driver.update(self._period)
            mujoco.mj_step(self.model, self.data, CONTROL_STEPS)
            self._owed -= self._period

    def command(self, command: ArmCommand) -> None:
        """Take the newest command of the arm; without one for 0.5 s the arm holds."""
        self._driver.command(command)

    def hold(self) -> None:
        """Stop the arm at once (emergency stop); the next command moves it again."""
        self._driver.hold()

    def arm_state(self) -> ArmState:
        """What the arm's own sensors say now."""
        self._sequence += 1
        return self._driver.state(Header(self.time_ns, self._sequence, "world", "sim"))

    def header(self, frame_id: str = "world", sequence: int = 0) -> Header:
        """A header stamped with the simulated time."""
        return Header(self.time_ns, sequence, frame_id, "sim")

    def truth(self) -> dict[str, Pose]:
        """True pose of every object by name. For tests, training and verdicts only: never for perception, planning or skills."""
        poses = {}
        for thing in self.scene.objects:
            body = self.data.body(thing.name)
            axes = body.xmat.reshape(3, 3)
            poses[thing.name] = Pose(thing, body.xpos.copy(), float(axes[2, 2]), float(np.arctan2(axes[1, 0], axes[0, 0])))
        return poses


def _set_contacts(model: mujoco.MjModel, scene: Scene) -> None:
    """Give round things torsional and rolling friction: without it they slip out of the fingers and roll for ever."""
    for thing in scene.objects:
        if thing.shape in _ROLLING:
            body = model.body(thing.name)
            geoms = slice(body.geomadr[0], body.geomadr[0] + body.geomnum[0])
            model.geom_condim[geoms] = 6
            model.geom_friction[geoms] = (1.0, 0.005, 0.002)


def _warn(message: str) -> None:
    log.warning("MuJoCo: %s", message)
