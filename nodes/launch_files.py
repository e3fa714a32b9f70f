"""The launch files that ship with the package, by name."""

from __future__ import annotations

from pathlib import Path

from seesay.config import shipped_folder
from seesay.errors import ConfigError


def shipped() -> list[Path]:
    """All launch files of the package; files of calibrations are not among them."""
    return sorted(path for path in shipped_folder().glob("*.toml") if "[launch]" in path.read_text(encoding="utf-8"))


def find(name: str) -> Path:
    """The launch file at `name`, or the shipped one of that name, with or without `.toml`. Raises ConfigError that lists those."""
    return _find(name, "launch file", shipped())


def find_calibration(name: str) -> Path:
    """The same for a file of cameras' calibrations."""
    return _find(name, "calibration file", sorted(set(shipped_folder().glob("*.toml")) - set(shipped())))


def _find(name: str, what: str, known: list[Path]) -> Path:
    if Path(name).is_file():
        return Path(name)
    for path in known:
        if name in (path.name, path.stem):
            return path
    raise ConfigError(f"{what}: expected a path or one of {', '.join(path.name for path in known)}, got {name!r}; check the name")
