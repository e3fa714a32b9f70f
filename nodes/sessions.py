"""Where running systems keep their sockets and logs, and how a command finds one.

A session is a directory of the user alone (mode 0700). Its path is short, because the path of a socket may not exceed about 100 bytes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seesay.errors import ConfigError
from seesay.session import private_directory

DEFAULT = "default"


def root() -> Path:
    """Directory that holds the sessions: `$XDG_RUNTIME_DIR/seesay`, or `seesay-UID` in the directory for temporary files.

    Made where it is missing. Raises BusError if it belongs to somebody else or others may enter it.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    inside = os.path.isabs(runtime) and os.access(runtime, os.W_OK)
    return private_directory(Path(runtime) / "seesay" if inside else Path(tempfile.gettempdir()) / f"seesay-{os.getuid()}")


def directory(name: str = "") -> Path:
    """Directory of the session called `name`: an absolute path as it is, else below `root()`; `$SEESAY_SESSION` or "default" if empty."""
    name = name or os.environ.get("SEESAY_SESSION", "") or DEFAULT
    if os.path.isabs(name):
        return Path(name)
    if not name.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(f"session: expected letters, digits, - and _, or an absolute path, got {name!r}; choose another name")
    return root() / name


@contextmanager
def temporary(name: str) -> Iterator[Path]:
    """A session that is gone afterwards with everything in it."""
    path = root() / f"{name}-{os.getpid()}"
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def is_live(path: Path) -> bool:
    """Whether any node runs in the session: a publisher holds the lock beside its socket as long as its process lives."""
    return any(is_held(lock) for lock in path.glob("*.lock"))


def live() -> list[str]:
    """Names of the sessions in which a node runs."""
    return sorted(entry.name for entry in root().iterdir() if entry.is_dir() and is_live(entry))


def running(name: str = "") -> Path:
    """Directory of a session that runs: that of `name`, of `$SEESAY_SESSION`, "default", or the only one there is.

    Raises ConfigError that lists those that run if none or several may be meant.
    """
    path = directory(name)
    if is_live(path):
        return path
    others = live()
    if len(others) == 1 and not name and not os.environ.get("SEESAY_SESSION"):
        return root() / others[0]
    known = ", ".join(others) or "none runs"
    raise ConfigError(f"session: expected one that runs ({known}), got {path.name!r}; use `seesay launch` or --session")


def is_held(lock: Path) -> bool:
    """Whether the process that holds a lock file lives."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
