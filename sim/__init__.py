"""MuJoCo tabletop: scenes, physics, cameras, gripper and skills. Headless by EGL, else OSMesa; MUJOCO_GL overrides the choice."""

import ctypes
import os
import sys

_LIBRARIES = (("egl", "libEGL.so.1"), ("osmesa", "libOSMesa.so.8"), ("osmesa", "libOSMesa.so.6"))


def _opengl() -> str:
    """What MuJoCo can draw with here. It picks its OpenGL when it is imported and fails obscurely without one."""
    for name, library in _LIBRARIES:
        try:
            ctypes.CDLL(library)
        except OSError:
            continue
        return name
    return "disable"


if sys.platform == "linux" and "MUJOCO_GL" not in os.environ:
    os.environ["MUJOCO_GL"] = _opengl()
