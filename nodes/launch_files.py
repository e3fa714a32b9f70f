"""The launch files that ship with the package, by name."""

from __future__ import annotations

from pathlib import Path

from seesay.errors import ConfigError


def folder() -> Path:
    """`seesay/launch` in an installed package, `launch/` in a checkout."""
    installed = Path(__file__).absolute().parent.parent / "launch"
    return installed if installed.is_dir() else Path(__file__).resolve().parent.parent / "launch"


def shipped() -> list[Path]:
    """All launch files of the package; files of calibrations are not among them."""
    return sorted(path for path in folder().glob("*.toml") if "[launch]" in path.read_text(encoding="utf-8"))


def find(name: str) -> Path:
    """The file at `name`, or the shipped one of that name, with or without `.toml`. Raises ConfigError that lists those that ship."""
    if Path(name).is_file():
        return Path(name)
    shipped_file = folder() / (name if name.endswith(".toml") else f"{name}.toml")
    if "/" not in name and shipped_file.is_file():
        return shipped_file
    known = ", ".join(path.name for path in shipped())
    raise ConfigError(f"launch file: expected a path or one of {known}, got {name!r}; check the name")
