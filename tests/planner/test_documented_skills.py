"""The skill file and the program of docs/skills.md, as they are printed."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from seesay.errors import SkillError
from seesay.planner.language import ScriptedScorer
from seesay.planner.saycan import SayCan
from seesay.planner.skills import Skill, load_library
from tests.planner.things import S, order, scene, thing

PAGE = (Path(__file__).parents[2] / "docs" / "skills.md").read_text(encoding="utf-8")
(FILE,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def test_the_file_loads_and_plans(tmp_path: Path) -> None:
    path = tmp_path / "my_skills.toml"
    path.write_text(FILE)
    library = load_library(path)
    phrases = [option.phrase for option in library.candidates()]
    assert len(phrases) == 7
    assert library.prompts() == ("cola can", "water bottle")
    put = "put the cola can on the tray"
    scorer = ScriptedScorer(lambda _, phrase: -1.0 if phrase == put else -3.0)
    seen = SayCan(library, scorer).decide(order("a cola, please"), [], scene(thing(1, "cola can", 0.1, 0.0)), 10 * S)
    assert seen.choice == phrases.index(put)
    affordances = {each.phrase: each.affordance for each in seen.candidates}
    assert (affordances[put], affordances["put the water bottle on the tray"]) == (0.9, 0.0)
    assert affordances["find the water bottle"] > 0.0


def test_the_mistake_that_the_page_shows(tmp_path: Path) -> None:
    path = tmp_path / "my_skills.toml"
    path.write_text(FILE.replace("find the {object}", "find the {thing}"))
    (shown,) = re.findall(r"    my_skills\.toml, (line .*)\n", PAGE)
    with pytest.raises(SkillError) as caught:
        load_library(path)
    assert str(caught.value).endswith(f"my_skills.toml, {shown}")


def test_every_key_is_explained() -> None:
    assert all(f"`{each.name}`" in PAGE for each in fields(Skill) if each.name != "name")


def test_the_program_runs() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "['find the cola can', 'find the water bottle', 'done']\n", done.stderr
