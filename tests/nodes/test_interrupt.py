"""Ctrl-C and SIGTERM end a running system whole."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

LAUNCH = """
[launch]
name = "words"
[nodes.vocabulary]
run = "vocabulary"
prompts = ["a red block"]
[nodes.executor]
run = "executor"
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ss-") as folder:
        yield Path(folder)


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_every_process(folder: Path, sent: signal.Signals, status: int) -> None:
    (folder / "words.toml").write_text(LAUNCH)
    command = [sys.executable, "-m", "seesay.nodes.cli", "launch", str(folder / "words.toml"), "--session", str(folder / "s")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as system:
        assert system.stderr is not None
        while "all ready" not in (line := system.stderr.readline()):
            assert line, "the system ended before it was ready"
        children = psutil.Process(system.pid).children(recursive=True)
        assert len(children) == 2
        system.send_signal(sent)
        assert system.wait(30) == status
        assert "Traceback" not in system.stderr.read()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    assert [path.name for path in (folder / "s").iterdir()] == ["logs"]
