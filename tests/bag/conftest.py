"""A session directory and a system of two nodes in memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from seesay.bus import make_session_directory


@pytest.fixture
def session() -> Iterator[Path]:
    """A session directory with a path short enough for sockets."""
    directory = make_session_directory()
    yield directory
    shutil.rmtree(directory)
