"""What every benchmark says beside its figures, and where pictures are kept between two runs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def cache(name: str) -> Path:
    """A folder for intermediate results of benchmark `name`, under the user's cache."""
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = base / "seesay" / "benchmarks" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def circumstances() -> dict[str, Any]:
    """The machine, the commit and the versions that a figure belongs to."""
    names = (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name"))
    model = next(names, platform.processor())
    git = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, cwd=Path(__file__).parent, check=False)
    versions = {}
    for name in ("numpy", "torch", "transformers", "mujoco", "pyzmq"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    machine = {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version()}
    return {**machine, "commit": commit.stdout.strip(), "versions": versions}


def show(title: str, figures: dict[str, Any], as_json: bool, bars: dict[str, tuple[str, float]] | None = None) -> None:
    """Print a table with each figure's bar (">=" or "<=", value) and, with `as_json`, one JSON object as the last line."""
    table = Table("figure", "value", "bar", "met", title=title)
    for name, value in figures.items():
        if isinstance(value, (dict, list)):
            continue
        sign, bar = (bars or {}).get(name, ("", 0.0))
        met = "" if not sign or value is None else ("yes" if (value >= bar if sign == ">=" else value <= bar) else "NO")
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        table.add_row(name, text, f"{sign} {bar:g}" if sign else "", met)
    Console(stderr=as_json).print(table)
    if as_json:
        Console(soft_wrap=True, highlight=False, markup=False).print(json.dumps({**figures, **circumstances()}))


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
