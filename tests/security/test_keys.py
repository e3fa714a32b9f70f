"""Key files: who may read them, what they must hold, and what the command line says of them."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seesay import keys
from seesay.errors import KeyFileError
from seesay.nodes import cli


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["seesay", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_a_new_pair_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    secret, public = keys.new("robot", tmp_path / "keys")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (secret, public, tmp_path / "keys")] == [0o600, 0o644, 0o700]
    pair = keys.load_pair(secret)
    assert (pair.name, pair.public) == ("robot", keys.load_public(public))
    assert keys.is_key(pair.secret.decode())
    assert pair.secret.decode() not in repr(pair) + public.read_text()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_secret_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    secret, _ = keys.new("robot", tmp_path)
    secret.chmod(mode)
    with pytest.raises(KeyFileError, match=f"expected to own it with mode 0600, got {mode:04o}"):
        keys.load_pair(secret)


def test_an_existing_key_is_never_replaced(tmp_path: Path) -> None:
    secret, _ = keys.new("robot", tmp_path)
    before = secret.read_text()
    with pytest.raises(KeyFileError, match="exists"):
        keys.new("robot", tmp_path)
    assert secret.read_text() == before


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "x" * 65])
def test_a_name_that_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyFileError, match="key name"):
        keys.new(name, tmp_path)


def test_the_allowed_are_the_public_files_of_a_folder_that_only_the_owner_writes_to(tmp_path: Path) -> None:
    pairs = {name: keys.new(name, tmp_path / name) for name in ("laptop", "tablet")}
    allowed = tmp_path / "allowed"
    allowed.mkdir(mode=0o700)
    for name, (_, public) in pairs.items():
        (allowed / f"{name}.public").write_bytes(public.read_bytes())
    (allowed / "broken.public").write_text("public = 7")
    known, wrong = keys.allowed(allowed)
    assert known == {keys.load_public(public): name for name, (_, public) in pairs.items()}
    assert len(wrong) == 1
    assert "broken.public" in wrong[0]
    allowed.chmod(0o777)
    with pytest.raises(KeyFileError, match="only its owner may write"):
        keys.allowed(allowed)
    with pytest.raises(KeyFileError, match="No such file"):
        keys.allowed(tmp_path / "nothing")


@given(st.binary(max_size=300) | st.text(max_size=60).map(lambda text: f'public = "{text}"'.encode()) | st.just(b"a = " + b"[" * 3000))
def test_whatever_a_key_file_holds_is_a_key_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.public"
    path.write_bytes(content)
    with contextlib.suppress(KeyFileError):
        assert len(keys.load_public(path)) == 40


def test_what_is_no_file_or_too_long_is_refused_without_reading_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.public")
    (tmp_path / "long.public").write_bytes(bytes(1 << 20))
    for name in ("pipe", "long"):
        with pytest.raises(KeyFileError, match="expected a file of 1 to 4096 bytes"):
            keys.load_public(tmp_path / f"{name}.public")


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert call(monkeypatch, "keys", "new", "robot", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert keys.load_pair(Path(made["secret"])).name == "robot"
    assert call(monkeypatch, "keys", "new", "robot") == 2
    assert "robot.secret exists; choose another name" in capsys.readouterr().err
    assert call(monkeypatch, "keys", "list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["kind"], row["problem"]) for row in rows] == [("robot", "own", "")]
    Path(made["secret"]).chmod(0o644)
    assert call(monkeypatch, "keys", "list") == 1
    assert "robot" in capsys.readouterr().out
