"""MuJoCo tabletop: scenes, physics, cameras, gripper and skills. Headless: MUJOCO_GL chooses egl (default) or osmesa."""

import os

os.environ.setdefault("MUJOCO_GL", "egl")
