"""The planner's loop over physics: true boxes and masks for eyes, a scripted language model, and a hand that meddles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.disturbance import KINDS, Meddler
from benchmarks.episodes import Episode, run_episode
from seesay.messages import Question
from seesay.planner.asking import Help
from seesay.planner.conformal import HelpCalibration, prompt_mark
from seesay.planner.language import ScriptedScorer
from seesay.planner.skills import load_library
from seesay.sim.tasks import demo_task
from tests.planner.test_agenda import follows

LIBRARY = load_library()
TASK = demo_task("put the red block in the green bowl", 3)
STEP = "pick up the red block and place it in the green bowl"


def run(**options: Any) -> Episode:
    return run_episode(TASK, 3, "combined", None, None, LIBRARY, ScriptedScorer(follows), **options)


@pytest.mark.parametrize("lookahead", [0, 2])
def test_a_task_is_done_in_one_step(lookahead: int) -> None:
    episode = run(lookahead=lookahead)
    assert (episode.success, episode.outcome, episode.choices) == (True, "done", (f"{STEP}: succeeded",))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_moved_dropped_or_taken_away_is_put_back(kind: str) -> None:
    meddlers = (Meddler(seed, 1) for seed in range(100))
    meddler = next(each for each in meddlers if each.kind == kind)
    episode = run(hand=meddler)
    assert meddler.did == f"red block {kind}"
    assert (episode.success, episode.outcome, episode.steps) == (True, "done", 2)


def test_an_open_loop_does_not_see_what_was_taken_away() -> None:
    meddler = next(each for each in (Meddler(seed, 1) for seed in range(100)) if each.kind == "taken away")
    episode = run(hand=meddler, feedback=False)
    assert (episode.success, episode.outcome, episode.steps) == (False, "done", 1)


def test_a_person_says_which_block_is_meant() -> None:
    asked: list[Question] = []

    def person(question: Question) -> str:
        asked.append(question)
        return "red"

    def says(context: str, phrase: str) -> float:
        if not context.endswith("Robot: 1. "):
            return -0.1 if phrase == "done" else -9.0
        return -1.0 if phrase in (STEP, STEP.replace("red", "blue")) else -9.0

    help = Help(HelpCalibration("scripted", "sum", prompt_mark(LIBRARY), 100, 1.0, {"0.80": 0.85}), 0.8)
    unclear = replace(TASK, instruction="put the block in the green bowl")
    episode = run_episode(unclear, 3, "combined", None, None, LIBRARY, ScriptedScorer(says), help=help, person=person)
    assert len(asked) == 1
    assert STEP in asked[0].options
    assert (episode.success, episode.choices) == (True, (f"{STEP}: succeeded",))
