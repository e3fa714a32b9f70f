"""The command line: what a wrong call says, and that help is quick to come."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from seesay.nodes import cli
from seesay.nodes.commands.app import app


@pytest.fixture(autouse=True)
def _own_runtime_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("SEESAY_SESSION", raising=False)
    monkeypatch.chdir(tmp_path)


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["seesay", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("command", [[], ["demo"], ["find"], ["launch"], ["run"], ["do"], ["stop"], ["topic"], ["topic", "echo"],
                                     ["topic", "hz"], ["topic", "list"], ["doctor"], ["explain"], ["models"], ["models", "list"],
                                     ["models", "info"], ["models", "fetch"],
                                     ["record"], ["play"], ["bag"], ["bag", "record"], ["bag", "play"], ["bag", "info"],
                                     ["bag", "reindex"], ["bag", "snapshot"]])
def test_every_command_has_help(command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, *command, "--help") == 0
    assert "Usage: seesay" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["launch", "none.toml"], "expected a path or one of"),
        (["launch", "bad.toml"], "got 'modle'; did you mean 'model'?"),
        (["launch", "tabletop", "--set", "nobody.x=1"], "expected one of the nodes"),
        (["launch", "tabletop", "--set", "detector"], "expected KEY=VALUE"),
        (["launch", "tabletop", "--session", "a/b"], "expected letters"),
        (["run", "detektor"], "expected one of"),
        (["topic", "list"], "none runs"),
        (["topic", "hz", "objects"], "none runs"),
        (["do", "put the red block in the green bowl"], "none runs"),
        (["do", "  "], "say what to do"),
        (["demo", "?!"], "say what to do"),
        (["stop"], "none runs"),
    ],
)
def test_a_wrong_call_says_the_cure_in_one_line(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.toml").write_text('[launch]\nname = "bad"\n[nodes.detector]\nrun = "detector"\nmodle = "embedded"\n')
    assert call(monkeypatch, *arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("seesay: ")
    assert shown.err.count("\n") == 1
    assert sentence in shown.err


def test_every_verb_that_tells_something_takes_json() -> None:
    """docs/cli.md names those that only do something."""
    def verbs(group: TyperGroup, before: str = "") -> Iterator[tuple[str, Any]]:
        for name, one in group.commands.items():
            if isinstance(one, TyperGroup):
                yield from verbs(one, f"{before}{name} ")
            else:
                yield f"{before}{name}", one

    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    silent = {name for name, one in verbs(root) if not any("--json" in option.opts for option in one.params)}
    assert silent == {"run", "record", "bag record", "play", "bag play", "view", "stop", "mcp"}


def test_a_wrong_option_has_status_2(monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch, "demo", "--sped", "2") == 2


def test_models_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "models", "list", "--json") == 0
    assert [model["kind"] for model in json.loads(capsys.readouterr().out)] == ["detector", "segmenter", "language model"]


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("seesay ")
