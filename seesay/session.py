"""The directory that the nodes of one session share: socket files `<topic with dots>~<node>`, each with a lock file beside it.

One more, with the suffix `.ring`, hands out the shared memory of a publisher of pictures.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import time
from pathlib import Path

from seesay.errors import BusError

SERVICE = ".srv"
_MAX_PATH_BYTES = 103


def make_session_directory() -> Path:
    """Make and return a new private directory for a bus, under XDG_RUNTIME_DIR or else the directory for temporary files."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    parent = runtime if runtime and os.access(runtime, os.W_OK) else None
    return Path(tempfile.mkdtemp(prefix="seesay-", dir=parent))


def list_sockets(directory: Path) -> list[str]:
    """Return the names of the socket files, none if the directory is gone."""
    return [name for name in _list(directory) if "~" in name and not name.endswith((".lock", ".ring"))]


def list_services(directory: Path) -> list[tuple[str, str]]:
    """Return (service, node) of every server in the directory, for some seconds also of one that was killed."""
    found = []
    for path in directory.glob(f"*{SERVICE}.lock"):
        with contextlib.suppress(OSError):
            found.append((path.name.removesuffix(f"{SERVICE}.lock").replace(".", "/"), path.read_text(encoding="utf-8")))
    return sorted(found)


def split_name(name: str) -> tuple[str, str]:
    """Return the topic and the node of a socket file, the topic with slashes."""
    topic, _, node = name.partition("~")
    return topic.replace(".", "/"), node


def remove_dead(directory: Path) -> None:
    """Remove the sockets, of topics and of services, of processes that were killed.

    It holds a name's lock meanwhile; who takes the name over at that moment waits for it, and makes a lock file of its own.
    """
    for name in _list(directory):
        if not name.endswith(".lock") or not ("~" in name or name.endswith(f"{SERVICE}.lock")):
            continue
        lock = directory / name
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino == os.stat(lock).st_ino:
                for left in (lock.with_suffix(""), lock.with_suffix(".ring"), lock):
                    left.unlink(missing_ok=True)
        except OSError:   # its process lives, or another has just removed it
            pass
        finally:
            os.close(descriptor)


def _list(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def private_directory(directory: Path) -> Path:
    """Make the directory with mode 0700, return its absolute path. Raises BusError if others may enter it."""
    directory = Path(os.path.abspath(directory))
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.stat()
    except OSError as error:
        raise BusError(f"session directory {directory}: {error.strerror}; name one that can be written") from error
    if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise BusError(f"session directory {directory}: expected to be its owner with mode 0700; run chmod 700 on it or name another")
    return directory


def check_path(path: Path) -> None:
    """Raise BusError if the path is too long for a Unix socket."""
    size = len(os.fsencode(path))
    if size > _MAX_PATH_BYTES:
        raise BusError(f"socket path {path}: expected at most {_MAX_PATH_BYTES} bytes, got {size}; use a shorter session directory")


def lock_socket(path: Path) -> int:
    """Lock `path`.lock against other processes and return its descriptor. A lock dies with its process, so nothing stale can remain.

    One that is held for a moment only, by who looks whether its process lives, is waited for.
    """
    name, patience = path.with_name(path.name + ".lock"), 50
    while True:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino == os.stat(name).st_ino:
                return descriptor
        except FileNotFoundError:
            pass
        except OSError as error:
            os.close(descriptor)
            patience -= 1
            if patience:
                time.sleep(0.01)
                continue
            topic, node = split_name(path.name)
            raise BusError(f"topic {topic}: another node called {node!r} runs in {path.parent}; give this one another name") from error
        os.close(descriptor)
