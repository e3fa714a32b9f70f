"""Skill libraries: the options of the tabletop, and what a wrong file says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from seesay.errors import SkillError
from seesay.planner.skills import DONE, Form, Library, Skill, load_library

MINIMAL = """
name = "one"
[objects]
things = ["mug"]
[[skills]]
name = "wave"
[[skills.forms]]
phrase = "wave the {object}"
arguments = { object = "things" }
"""


def test_tabletop_has_the_53_options_of_saycan() -> None:
    options = load_library().candidates()
    assert len(options) == 53
    assert len({option.phrase for option in options}) == 53
    assert (options[-1].phrase, options[-1].skill) == ("done", DONE)
    pairs = {(option.arguments["object"], option.arguments["place"]) for option in options[:-1]}
    assert len(pairs) == 52
    assert ("red block", "green bowl") in pairs
    assert ("yellow block", "top left corner") in pairs
    assert load_library().candidates() == options


def test_phrases_are_natural() -> None:
    phrases = {option.phrase: option.relation for option in load_library().candidates()}
    assert phrases["pick up the red block and place it in the green bowl"] == "in"
    assert phrases["pick up the red block and place it on the blue block"] == "on"
    assert phrases["pick up the red block and place it in the top left corner"] == "at"
    assert phrases["pick up the red block and place it in the middle"] == "at"


def test_prompts_and_positions() -> None:
    library = load_library()
    assert library.prompts() == tuple(f"{c} block" for c in ["blue", "red", "green", "yellow"]) + tuple(
        f"{c} bowl" for c in ["blue", "red", "green", "yellow"]
    )
    assert library.places["bottom right corner"] == (0.17, -0.12, 0.0)
    assert len(library.places) == 9


def test_examples_stay_apart_from_the_options() -> None:
    """The prompt may not hold what the model is asked about."""
    library = load_library()
    text = " ".join(step for example in library.examples for step in (example.instruction, *example.steps))
    assert not any(name in text for name in library.prompts())


def test_other_objects() -> None:
    library = load_library().with_objects(blocks=["pink block", "white ball"], bowls=["black plate"])
    assert library.prompts() == ("pink block", "white ball", "black plate")
    assert len(library.candidates()) == 2 * (2 + 1 + 5) + 1
    with pytest.raises(SkillError, match="got 'cups'"):
        library.with_objects(cups=["red cup"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[[skills]]\n", "[[skills]]\nspeed = 3\n"), "'speed'"),
        (("{object}", "{thing}"), "expected fields"),
        (('"things" }', '"stuff" }'), "'stuff'"),
        (("[[skills.forms]]", "success = 1.5\n[[skills.forms]]"), "within 0 and 1"),
        (("[[skills.forms]]", 'gripper = "shut"\n[[skills.forms]]'), "'shut'"),
        (('["mug"]', '["mug", "mug"]'), "once, got 'wave the mug' again"),
        (("name = \"one\"", "name = 1"), "expected str"),
        (("[objects]", "[places]\nshelf = [1, 2]\n[objects]"), "metres"),
        (("[objects]", "[place_groups]\nhigh = [\"shelf\"]\n[objects]"), "shelf"),
        (("[[skills]]", "[[skills"), "not TOML"),
        (('["mug"]', '["mug\\nRobot: 1. sing"]'), "on one line"),
        (('["mug"]', '["mug "]'), "without blanks around them"),
        (('["mug"]', f'["{"mug" * 80}"]'), "at most 200 characters"),
        (('["mug"]', "[]"), "no option but 'done'"),
        (('name = "wave"', 'name = "done"'), "which ends a task"),
        (("{object}", "{object:>99999999}"), "expected plain fields"),
        (("{object}", "{object!r}"), "expected plain fields"),
        (("{object}", "{object"), "correct the braces"),
        (('[[skills.forms]]\nphrase = "wave the {object}"\narguments = { object = "things" }', ""), "expected at least one phrase"),
    ],
)
def test_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "skills.toml"
    path.write_text(MINIMAL.replace(*change))
    with pytest.raises(SkillError, match=message) as caught:
        load_library(path)
    assert str(path) in str(caught.value)


def test_minimal_file_and_missing_ones(tmp_path: Path) -> None:
    path = tmp_path / "skills.toml"
    path.write_text(MINIMAL)
    assert [option.phrase for option in load_library(path).candidates()] == ["wave the mug", "done"]
    with pytest.raises(SkillError, match="cannot be read"):
        load_library(tmp_path / "none.toml")
    with pytest.raises(SkillError, match="cannot be read"):
        load_library("kitchenette")
    path.write_text("skills = []\n" + MINIMAL[: MINIMAL.index("[[skills]]")])
    with pytest.raises(SkillError, match="has no skills"):
        load_library(path)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (('phrase = "wave the {object}"', 'phrase = "wave the {thing}"'), 8),
        (('arguments = { object = "things" }', 'arguments = { object = "stuff" }'), 9),
        (('name = "wave"', 'name = "wave"\nneeds = ["empty", "floating object"]'), 7),
        (('name = "wave"', 'name = "wave"\neffects = ["near mug"]'), 7),
        (('name = "wave"', 'name = "wave"\npicks = "thing"'), 7),
        (('name = "wave"', 'name = "wave"\nuseful = ["near mug"]'), 7),
        (('name = "wave"', 'name = "wave"\nundoes = "pick"'), 7),
        (('name = "wave"', 'name = "wave"\nsuccess = nan'), 7),
        (('name = "wave"', 'name = "wave"\nspeed = """\n[[skills]]\n"""'), 7),
        (('name = "one"', 'name = "one"\nreach = [\n  1, 0,\n  0, 1]'), 3),
        (('"things" }', '"things" }\n[[skills]]\nname = "wave"\nforms = [{ phrase = "hi" }]'), 11),
        (('"things" }', '"things" }\n[[skills.forms]]\nphrase = "wave the mug"'), 11),
        (('name = "one"', 'name = "one"\n[words]\nnames = { cup = "glass" }'), 4),
        (('name = "one"', 'name = "one"\n[[errands]]\nends = "in"\nwords = ["fill"]'), 4),
        (('name = "one"', 'name = "one"\n[[errands]]\nends = "at"\nplace = "moon"\nwords = ["fling"]'), 5),
        (('name = "one"', 'name = "one"\n[[errands]]\nends = "at"\nwords = []'), 5),
        (('name = "one"', 'name = "one"\n[[errands]]\nends = "at"\nalone = 1\nwords = ["fling"]'), 5),
        (('name = "one"', 'name = "one"\n[[errands]]\nends = "at"\nwords = ["fling"]\nplain = "Fling {it}."'), 6),
        (('name = "one"', 'name = "one"\n[[errands]]\nends = "at"\nwords = ["fling"]\nplain = "Fling {thing!r}."'), 6),
        (('name = "one"', 'name = "one"\n[[errands]]\nends = "at"\nwords = ["fling"]\nplain = "Fling {"'), 6),
        (('name = "one"', 'name = "one"\n[words.kinds]\ncup = ["glass"]'), 4),
        (('name = "one"', 'name = "one"\n[words.kinds]\ncup = "glass"'), 4),
    ],
)
def test_the_line_is_named(tmp_path: Path, change: tuple[str, str], line: int) -> None:
    path = tmp_path / "skills.toml"
    path.write_text(MINIMAL.replace(*change))
    with pytest.raises(SkillError, match=rf"skills.toml, line {line}: "):
        load_library(path)


def test_a_library_made_in_python() -> None:
    """Skills without a file: the same options, and the same sentences for what does not fit."""
    wave = Skill("wave", (Form("wave the {object}", {"object": "things"}),))
    library = Library("mine", (wave,), {"things": ("mug", "cup")}, {}, {})
    assert [option.phrase for option in library.candidates()] == ["wave the mug", "wave the cup", "done"]
    with pytest.raises(SkillError, match="got 'cups'"):
        replace(library, skills=(replace(wave, forms=(Form("wave the {object}", {"object": "cups"}),)),))
