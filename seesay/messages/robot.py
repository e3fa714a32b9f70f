"""What an arm is told and tells, and the emergency stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seesay.messages.checks import check_array, check_finite
from seesay.messages.pictures import Header


@dataclass(frozen=True, slots=True)
class EmergencyStop:
    """`engaged` stops all motion at once, whatever the planner does; only a message with `engaged=False` releases it."""

    header: Header
    engaged: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ArmCommand:
    """Where the tool shall go: `position` (3,) float64 metres in the world, the point between the finger tips; `yaw` radians about z;
    `opening` metres between the fingers. A driver stops when commands stop coming."""

    header: Header
    position: NDArray[np.float64]
    yaw: float
    opening: float

    def __post_init__(self) -> None:
        check_array("ArmCommand.position", self.position, "float64", (3,))
        check_finite("ArmCommand.position", self.position)


@dataclass(frozen=True, slots=True, eq=False)
class ArmState:
    """What the arm's own sensors say: `position` (3,) float64 metres of the point between the finger tips, `yaw` radians,
    `opening` metres, `grip_force` newtons (0 when nothing is between the fingers), `speed` metres a second."""

    header: Header
    position: NDArray[np.float64]
    yaw: float
    opening: float
    grip_force: float
    speed: float

    def __post_init__(self) -> None:
        check_array("ArmState.position", self.position, "float64", (3,))
