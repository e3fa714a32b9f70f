"""The planner of examples/ moves the simulator's arm by the running planner's services alone."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from seesay.bus import AnyBus
from seesay.planner.language import ScriptedScorer
from tests.tabletop_robot import tabletop

EXAMPLE = Path(__file__).parents[2] / "examples" / "03_custom_planner.py"
PHRASE = "pick up the red block and place it in the green bowl"


def test_the_ten_line_planner_does_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    follow = runpy.run_path(str(EXAMPLE))["follow"]
    told = "put the red block in the green bowl"
    scorer = ScriptedScorer(lambda context, phrase: {PHRASE: -1.0, "done": -1.5}.get(phrase, -20.0))

    def client(bus: AnyBus) -> None:
        follow(bus, told)

    with tabletop(told) as robot:
        robot.serve(scorer, client)
        assert robot.verdict().success
    assert capsys.readouterr().out == f"{PHRASE}: succeeded\n"
