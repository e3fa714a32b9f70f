"""`seesay explain` on the folder of a run."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from seesay.messages import Candidate, Header, PlanStep, Source
from seesay.nodes import cli
from seesay.nodes.commands.explain import load_steps
from seesay.nodes.plain import dumps


def step(number: int) -> PlanStep:
    candidates = (
        Candidate("pick up the red block", "pick", {"object": "red block"}, -2.0, 0.9, -2.1, 0.8, ("seen 0.97",)),
        Candidate("pick up the blue block", "pick", {"object": "blue block"}, -3.0, 0.5, -3.7, 0.2, (), "less probable"),
        Candidate("done", "done", {}, None, 0.0, -math.inf, 0.0, ("nothing done yet",), "nothing done yet"),
    )
    header = Header(5, 1, "world", "sim", Source("front", 1, 5))
    return PlanStep(header, "i1", "pick it", number, candidates, 0, ("a",) * (number - 1), 8.0, 1.0)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "plan.json").write_text(dumps({"instruction": "pick it", "steps": [step(1), step(2)], "results": {}}))
    return tmp_path


def explain(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["seesay", "explain", *arguments])
    monkeypatch.setenv("COLUMNS", "160")
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_a_written_plan_is_read_whole(run: Path) -> None:
    assert load_steps(run) == load_steps(run / "plan.json") == [step(1), step(2)]


def test_says_why(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(monkeypatch, str(run)) == 0
    shown = capsys.readouterr().out
    assert "Step 1: pick it" in shown
    assert "Step 2: pick it" in shown
    assert shown.count("Why A, 'pick up the red block', and not B, 'pick up the blue block':") == 2
    assert "Language: log p is -2.00 for A, -3.00 for B: A is 2.72 times as probable." in shown


def test_two_named_candidates_as_json_and_as_a_picture(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--step", "2", "--why", "blue", "--not", "done", "--json", "--svg", str(run / "step.svg")]
    assert explain(monkeypatch, str(run), *arguments) == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert (said["step"], said["choice"]) == (2, "pick up the red block")
    assert (said["why"]["one"]["phrase"], said["why"]["other"]["phrase"]) == ("pick up the blue block", "done")
    assert said["why"]["sentences"][1].endswith("0.000 (nothing done yet) for B: only A is possible")
    ElementTree.parse(run / "step.svg")


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        (None, [], "No such file"),
        ("{", [], "expected the JSON of a plan"),
        ("[]", [], "a plan with a list of steps"),
        ('{"steps": [1]}', [], "an object with candidates"),
        ('{"steps": [{"candidates": []}]}', [], "step 1"),
        ("one choice too far", [], "expected a choice among 3 candidates, got 7"),
        ("good", ["--step", "9"], "one of the run's steps (1, 2), got 9"),
        ("good", ["--svg", "x.svg"], "expected one step, got 2"),
        ("good", ["--why", "purple"], "words of one candidate"),
    ],
)
def test_bad_input_is_one_sentence(
    content: str | None, arguments: list[str], sentence: str, run: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = run / "plan.json"
    if content is None:
        path.unlink()
    elif content.startswith("one choice"):
        path.write_text(path.read_text().replace('"choice": 0', '"choice": 7'))
    elif content != "good":
        path.write_text(content)
    assert explain(monkeypatch, str(run), *arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("seesay: ")
    assert shown.err.count("\n") == 1
    assert sentence in shown.err
