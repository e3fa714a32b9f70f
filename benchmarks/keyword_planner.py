"""A planner without a language model, as an honest floor: names in the instruction, a few verbs, fixed step patterns."""

from __future__ import annotations

import re

from seesay.sim.kitchen import KINDS, PLACES
from seesay.sim.kitchen_goals import USER

ALIASES = {"coke": "coke can", "sprite": "sprite can", "red bull": "redbull", "water": "water bottle"}
_THROW = re.compile(r"\b(?:throw|toss|trash|bin|discard|dispose|rid|chuck)\b")
_GO = re.compile(r"\b(?:go|head|drive|navigate|visit|park)\b")
_HOLD = re.compile(r"\b(?:hold|lift|grab|pick up|gripper)\b")


def keyword_plan(instruction: str) -> list[str]:
    """Step phrases with `done` last. Things and places in the order of the instruction; only names, no kinds such as "a drink"."""
    text = instruction.lower()
    things = _named(text, {**{kind: kind for kind in KINDS}, **ALIASES})
    places = [place for place in _named(text, {place: place for place in PLACES}) if place not in (USER, "trash")]
    steps: list[str] = []
    if not things and _GO.search(text):
        steps = [f"go to the {place}" for place in _named(text, {place: place for place in PLACES})]
    for thing in things:
        steps += [f"find a {thing}", f"pick up the {thing}"]
        if _THROW.search(text):
            steps += ["go to the trash", f"put down the {thing}"]
        elif places and not re.search(r"\bme\b", text):
            steps += [f"go to the {places[-1]}", f"put down the {thing}"]
        elif not _HOLD.search(text) or re.search(r"\bbring|me\b", text):
            steps += ["bring it to you", f"put down the {thing}"]
    return [*steps, "done"]


def _named(text: str, names: dict[str, str]) -> list[str]:
    """What is named, longest names first so that "far counter" is not "counter", in the order of the text."""
    found: list[tuple[int, str]] = []
    for name in sorted(names, key=len, reverse=True):
        for match in re.finditer(rf"\b{re.escape(name)}s?\b", text):
            found.append((match.start(), names[name]))
            text = text[: match.start()] + "_" * len(match[0]) + text[match.end() :]
    return list(dict.fromkeys(name for _, name in sorted(found)))
