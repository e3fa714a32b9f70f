"""A session directory, the sample nodes on the path, and a way to see that processes are gone."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seesay.bus import make_session_directory

LONG = 30.0


@pytest.fixture(autouse=True, scope="session")
def heard_interrupts() -> Iterator[None]:
    """A run in the background of a shell ignores SIGINT, and so would every process that the tests start and interrupt."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def session() -> Iterator[Path]:
    """A session directory with a path short enough for sockets."""
    directory = make_session_directory()
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def sample_nodes(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with `sample_nodes`, which this process and those that it starts can import from."""
    folder = Path(__file__).parent
    root = Path(__file__).parents[2]
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(root)]))
    return folder


def is_running(pid: int) -> bool:
    """Whether a process exists that is more than an entry waiting to be collected by its parent."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.fixture
def gone() -> Callable[[list[int]], bool]:
    """`gone(pids)` waits until none of the processes runs and tells whether that came true."""

    def wait(pids: list[int]) -> bool:
        end = time.monotonic() + LONG
        while any(map(is_running, pids)) and time.monotonic() < end:
            time.sleep(0.01)
        return not any(map(is_running, pids))

    return wait
