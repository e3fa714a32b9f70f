"""SeeSay: name anything, see where it is in 3-D, know what to do next."""

__version__: str

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """The version is looked up when it is asked for, as that takes longer than importing the package."""
    if name != "__version__":
        raise AttributeError(f"module 'seesay' has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("seesay")
    except PackageNotFoundError:
        return "0.0.0"
