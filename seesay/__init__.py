"""SeeSay: name anything, see where it is in 3-D, know what to do next."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("seesay")
except PackageNotFoundError:
    __version__ = "0.0.0"

__all__ = ["__version__"]
