"""The peers' own environment: the extra `peers` of pyproject.toml, in the user's cache; and a network of their own to run in."""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from benchmarks.common import cache

ROOT = Path(__file__).resolve().parent.parent
_ALONE = ["unshare", "-n", "sh", "-c", 'ip link set lo up multicast on && ip route add 224.0.0.0/4 dev lo && exec "$@"', "sh"]


def peers_python() -> str:
    """The Python that has the peers; made the first time (a minute, 150 MB). Raises OSError or CalledProcessError."""
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["peers"]
    constraints = ROOT / "constraints.txt"
    version = hashlib.sha256("\n".join([sys.version, *extra]).encode() + constraints.read_bytes()).hexdigest()[:12]
    folder = cache("bus") / f"peers-{version}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, stdout=sys.stderr)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", constraints]
        subprocess.run([*pip, "numpy", "pyzmq", *extra], check=True, stdout=sys.stderr)
        (folder / "complete").touch()
    return str(python)


@functools.cache
def alone() -> list[str]:
    """What to put before a command so that it sees a loopback network only, with multicast; nothing for other users than root.

    No user namespace: in one, dora's shared memory fell back to something ten times slower.
    """
    try:
        works = subprocess.run([*_ALONE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        works = False
    return _ALONE if works else []
