"""The report, the tables and the JSON of a decision."""

import io
import json
import math
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from seesay.messages import Candidate, Header, Image, Object, PlanStep, SkillResult, Source
from seesay.nodes.commands.ages import Age, summarise, to_csv
from seesay.nodes.commands.report import Report, render
from seesay.nodes.commands.tables import objects_table, step_table
from seesay.nodes.plain import dumps, plain, write_text
from seesay.planner.chart import chart

HEADER = Header(stamp_ns=5_000_000_000, clock="sim")


def step(choice: int | None = 1) -> PlanStep:
    candidates = (
        Candidate("pick up the <red> block & go", "pick", {}, None, 0.0, -math.inf, 0.0, why_not="red block not seen"),
        Candidate("pick up the green block", "pick", {"block": "green block"}, -2.0, 0.9, -2.1, 0.8, ("seen 0.97", "0.1 s ago")),
        Candidate("done", "done", {}, -3.0, 0.5, -3.7, 0.2, why_not="1.6 nats behind"),
    )
    return PlanStep(HEADER, "i1", "pick the <green> block", 1, candidates, choice, (), 812.0, 130.0)


def shown(renderable: object) -> str:
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_says_why_each_lost() -> None:
    text = shown(step_table(step()))
    assert "red block not seen" in text
    assert "chosen: seen 0.97; 0.1 s ago" in text
    assert "not scored" in text
    assert "80%" in text


def test_the_table_says_that_nothing_is_feasible() -> None:
    assert "nothing is feasible" in shown(step_table(step(None)))


def test_the_objects_table_shows_ages() -> None:
    thing = Object(3, "red block", 0.9, np.zeros(4, np.float32), np.array([0.1, -0.1, 0.02]), np.eye(3), np.ones(3),
                   4_000_000_000, Source("front", 7, 4_000_000_000))
    assert re.search(r"3 │ red block.*\+0\.100 -0\.100 \+0\.020 │ visible.*1\.0 s ago", shown(objects_table([thing], HEADER.stamp_ns)))


def test_the_chart_is_well_formed_and_holds_every_candidate() -> None:
    svg = ElementTree.fromstring(chart(step()))
    assert len(svg.findall(".//rect")) == 9
    assert "pick up the <red> block & go" in [text.text for text in svg.findall(".//text")]


def test_the_report_needs_nothing_from_outside() -> None:
    result = SkillResult(HEADER, "g1", "grasp_failed", "the fingers closed on nothing")
    ages = summarise([Age("detections", "front", 1, 10, 40.0), Age("detections", "front", 2, 20, 60.0)])
    report = Report("pick the <green> block", False, "done", "the block fell", [step()], {1: result}, ages, {"seed": "3"}, "video.mp4")
    page = render(report)
    assert "http" not in page
    assert "<script" not in page
    assert "pick the &lt;green&gt; block" in page
    assert "the fingers closed on nothing" in page
    assert '<td class="n">2</td><td class="n">50</td>' in page


def test_json_has_no_infinity_and_describes_long_arrays() -> None:
    answer = json.loads(dumps(step()))
    assert answer["candidates"][0]["log_score"] is None
    picture = Image(HEADER, "rgb8", np.zeros((240, 320, 3), np.uint8))
    assert plain(picture)["data"] == {"shape": [240, 320, 3], "dtype": "uint8"}
    assert plain(np.float32(0.5)) == 0.5


def test_ages_as_csv() -> None:
    assert to_csv([Age("objects", "side", 4, 99, 12.5)]) == "topic,camera,sequence,stamp_ns,age_ms\nobjects,side,4,99,12.5\n"


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.txt", "\ud800")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"
