"""A Cartesian arm with a two-finger gripper: its XML, its driver and its sensors.

Three slides carry a yaw hinge and two coupled fingers. The tool point lies between the finger pads, `TIP` above the finger tips.
The driver moves its set points towards the newest command at a limited speed and acceleration; nothing but contact and friction holds.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from seesay.messages import ArmCommand, ArmState, Header
from seesay.sim.gripper import FINGER_LENGTH, HOME, MAX_OPENING, MIN_OPENING, TIP

COMMAND_TIMEOUT_S = 0.5
"""The driver holds the arm when no command has come for this long."""

MAX_SPEED, MAX_ACCELERATION = 0.6, 3.0
MAX_YAW_SPEED, MAX_OPENING_SPEED = 3.0, 0.2

JOINTS = ("arm_x", "arm_y", "arm_z", "arm_yaw", "arm_left", "arm_right")
_GEOM = 'group="2" contype="2" conaffinity="1"'
_PAD = 'condim="4" friction="1.5 0.02 0.0001"'
_MIDDLE = (FINGER_LENGTH - 2 * TIP) / 2

WORLD_XML = f"""
<body name="arm_x" gravcomp="1"><joint name="arm_x" type="slide" axis="1 0 0" range="-0.6 0.6"/>
 <inertial pos="0 0 0.4" mass="0.2" diaginertia="0.001 0.001 0.001"/>
 <body name="arm_y" gravcomp="1"><joint name="arm_y" type="slide" axis="0 1 0" range="-0.6 0.6"/>
  <inertial pos="0 0 0.4" mass="0.2" diaginertia="0.001 0.001 0.001"/>
  <body name="arm_z" gravcomp="1"><joint name="arm_z" type="slide" axis="0 0 1" range="0 0.8"/>
   <geom name="arm_column" type="cylinder" {_GEOM} size="0.010 0.11" pos="0 0 0.225" mass="0.25" rgba="0.30 0.31 0.33 1"/>
   <body name="arm_yaw" gravcomp="1"><joint name="arm_yaw" type="hinge" axis="0 0 1" range="-6.3 6.3" armature="0.002"/>
    <geom name="arm_palm" type="box" {_GEOM} size="0.056 0.011 0.010" pos="0 0 {FINGER_LENGTH - TIP + 0.010:.4f}" mass="0.25"
          rgba="0.30 0.31 0.33 1"/>
    <body name="arm_left" gravcomp="1"><joint name="arm_left" type="slide" axis="1 0 0" range="{MIN_OPENING / 2} {MAX_OPENING / 2}"/>
     <geom name="arm_left" type="box" {_GEOM} {_PAD} size="0.004 0.009 {FINGER_LENGTH / 2}" pos="0.004 0 {_MIDDLE:.4f}" mass="0.05"
           rgba="0.42 0.43 0.45 1"/>
     <site name="arm_left" type="box" group="5" size="0.003 0.010 {FINGER_LENGTH / 2}" pos="0 0 {_MIDDLE:.4f}"/>
    </body>
    <body name="arm_right" gravcomp="1"><joint name="arm_right" type="slide" axis="-1 0 0" range="{MIN_OPENING / 2} {MAX_OPENING / 2}"/>
     <geom name="arm_right" type="box" {_GEOM} {_PAD} size="0.004 0.009 {FINGER_LENGTH / 2}" pos="-0.004 0 {_MIDDLE:.4f}" mass="0.05"
           rgba="0.42 0.43 0.45 1"/>
     <site name="arm_right" type="box" group="5" size="0.003 0.010 {FINGER_LENGTH / 2}" pos="0 0 {_MIDDLE:.4f}"/>
    </body>
   </body>
  </body>
 </body>
</body>
"""

# Contact settings: elliptic cones and impratio 10 hold a grasp without creep; uncoupled fingers would drift under load.
TOP_XML = """
<option timestep="0.002" integrator="Euler" cone="elliptic" impratio="10"><flag sleep="enable"/></option>
<default><geom solref="0.006 1" solimp="0.95 0.99 0.001"/></default>
<actuator>
 <position name="arm_x" joint="arm_x" kp="4000" dampratio="1" forcerange="-60 60"/>
 <position name="arm_y" joint="arm_y" kp="4000" dampratio="1" forcerange="-60 60"/>
 <position name="arm_z" joint="arm_z" kp="2500" dampratio="1" forcerange="-40 40"/>
 <position name="arm_yaw" joint="arm_yaw" kp="30" dampratio="1" forcerange="-3 3"/>
 <position name="arm_left" joint="arm_left" kp="800" dampratio="1" forcerange="-15 15"/>
 <position name="arm_right" joint="arm_right" kp="800" dampratio="1" forcerange="-15 15"/>
</actuator>
<equality><joint joint1="arm_left" joint2="arm_right" polycoef="0 1 0 0 0" solref="0.006 1"/></equality>
<sensor><touch name="arm_left" site="arm_left"/><touch name="arm_right" site="arm_right"/></sensor>
"""


class ArmDriver:
    """Drives the arm within `data`: call `update` once per control period, before the physics of that period."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self._data = data
        joints = [model.joint(name) for name in JOINTS]
        self._qpos = np.array([j.qposadr[0] for j in joints])
        self._qvel = np.array([j.dofadr[0] for j in joints])
        self._ctrl = np.array([model.actuator(name).id for name in JOINTS])
        self._touch = np.array([model.sensor(name).adr[0] for name in ("arm_left", "arm_right")])
        self._at = np.array([*HOME, 0.0, MAX_OPENING])
        self._goal = self._at.copy()
        self._speed = 0.0
        self._commanded_s = -np.inf
        data.qpos[self._qpos] = [*HOME, 0.0, MAX_OPENING / 2, MAX_OPENING / 2]
        self._write()

    def command(self, command: ArmCommand) -> None:
        """Take a new command; it replaces the last."""
        self._goal[:3] = command.position
        self._goal[3] = command.yaw
        self._goal[4] = min(max(command.opening, 0.0), MAX_OPENING)
        self._commanded_s = float(self._data.time)

    def hold(self) -> None:
        """Stop where the set points are now, whatever was commanded."""
        self._goal[:] = self._at
        self._speed = 0.0

    def update(self, period: float) -> None:
        """Move the set points by at most one control period of `period` seconds; hold them when commands stop coming."""
        if self._data.time - self._commanded_s > COMMAND_TIMEOUT_S:
            self.hold()
        way = self._goal[:3] - self._at[:3]
        distance = float(np.sqrt(way @ way))
        self._speed = min(self._speed + MAX_ACCELERATION * period, MAX_SPEED, float(np.sqrt(2 * MAX_ACCELERATION * distance)))
        if distance > 0:
            self._at[:3] += way * min(1.0, self._speed * period / distance)
        for index, limit in ((3, MAX_YAW_SPEED * period), (4, MAX_OPENING_SPEED * period)):
            self._at[index] += min(max(self._goal[index] - self._at[index], -limit), limit)
        self._write()

    def state(self, header: Header) -> ArmState:
        """What the arm's own sensors say now: joint positions and the touch sensors of the pads."""
        q, v = self._data.qpos[self._qpos], self._data.qvel[self._qvel]
        force = float(self._data.sensordata[self._touch].min())
        position: NDArray[np.float64] = q[:3].copy()
        return ArmState(header, position, float(q[3]), float(q[4] + q[5]), force, float(np.linalg.norm(v[:3])))

    def _write(self) -> None:
        self._data.ctrl[self._ctrl[:4]] = self._at[:4]
        self._data.ctrl[self._ctrl[4:]] = self._at[4] / 2
