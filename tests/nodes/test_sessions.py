"""Sessions: found when they run, gone afterwards."""

from pathlib import Path

import pytest

from seesay import topics
from seesay.bus import Bus
from seesay.errors import BusError, ConfigError
from seesay.nodes import sessions


@pytest.fixture(autouse=True)
def _own_runtime_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("SEESAY_SESSION", raising=False)


def test_a_temporary_session_is_gone_afterwards() -> None:
    with sessions.temporary("demo") as path:
        assert path.stat().st_mode & 0o777 == 0o700
        (path / "logs").mkdir()
    assert not path.exists()


def test_a_session_runs_while_a_publisher_lives() -> None:
    path = sessions.directory("robot")
    with pytest.raises(ConfigError, match="none runs"):
        sessions.running()
    with Bus(path, "node") as bus:
        bus.publisher(topics.CLOCK)
        assert sessions.live() == ["robot"]
        assert sessions.running() == path
        with pytest.raises(ConfigError, match=r"\(robot\), got 'other'"):
            sessions.running("other")
    assert sessions.live() == []


def test_a_session_name_cannot_leave_its_directory() -> None:
    with pytest.raises(ConfigError, match="letters"):
        sessions.directory("../x")


def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "seesay").mkdir(mode=0o755)
    (tmp_path / "seesay").chmod(0o755)
    with pytest.raises(BusError, match="0700"):
        sessions.root()
