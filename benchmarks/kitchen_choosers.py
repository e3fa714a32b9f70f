"""How each condition of `kitchen_plans` chooses the next step."""

from __future__ import annotations

import difflib
import random
import zlib
from dataclasses import dataclass
from typing import Literal

from benchmarks.greedy_lines import Write
from benchmarks.keyword_planner import keyword_plan
from benchmarks.kitchen_runs import Choice, Choose, Episode, Eyes, act
from seesay.messages import Header, Instruction, PlanStep
from seesay.planner.affordance import AffordanceModel
from seesay.planner.language import LanguageScorer
from seesay.planner.lengths import Length, LengthScorer
from seesay.planner.mcqa import MultipleChoice
from seesay.planner.saycan import Mode, SayCan
from seesay.planner.skills import DONE, Library

LIKELY = 0.5
"""Affordance from which on a step counts as feasible."""
UNSEEN = 0.02
"""p(success) of searching for what is not seen: with the whole kitchen in view, the share of unseen kinds that are there but missed."""
FAILURES = 0.2
"""Share of steps that fail by chance where skills are not to be relied on."""


@dataclass(frozen=True)
class Condition:
    """mode, words: what it has of the planner, and how it scores phrases. way: the planner's choice at each step; any likely step; all
    steps from the first look; free text; or keywords. fails: share of steps that fail. reads: whether errands are read and pursued."""

    mode: Mode = "combined"
    eyes: Eyes = "noisy"
    words: Length | Literal["mcqa"] = "pmi"
    way: Literal["best", "likely", "blind", "text", "keywords"] = "best"
    fails: float = 0.0
    reads: bool = True


CONDITIONS = {
    "combined": Condition(),
    "language_only": Condition("language_only"),
    "language_sum": Condition("language_only", words="sum"),
    "unread": Condition(reads=False),
    "language_unread": Condition("language_only", reads=False),
    "language_mean": Condition("language_only", words="mean_token"),
    "mcqa": Condition(words="mcqa"),
    "generative": Condition("language_only", way="text"),
    "affordance_only": Condition("affordance_only"),
    "oracle_perception": Condition(eyes="oracle"),
    "foreign_affordance": Condition(eyes="foreign"),
    "closed_loop": Condition(fails=FAILURES),
    "open_loop": Condition(way="blind", fails=FAILURES),
    "random_feasible": Condition("affordance_only", way="likely"),
    "keyword": Condition(eyes="oracle", way="keywords"),
}


def chooser(condition: Condition, library: Library, scorer: LanguageScorer, write: Write) -> Choose:
    """How a condition chooses the next step. write: what the model writes by itself after a prompt."""
    policy = MultipleChoice(scorer) if condition.words == "mcqa" else LengthScorer(scorer, condition.words)
    saycan = SayCan(library, policy, mode=condition.mode, affordances=AffordanceModel(unseen=UNSEEN))

    def decide(episode: Episode) -> PlanStep:
        now = episode.kitchen.time_ns
        order = Instruction(Header(now, clock="sim"), episode.scene.id, episode.scene.instruction)
        seen = episode.look()
        subtask = episode.agenda.next(seen) if episode.agenda else None
        return saycan.decide(order, episode.history, seen, now, episode.arm_state(), subtask)

    def scored(episode: Episode) -> Choice:
        step = decide(episode)
        shares = {each.phrase: each.probability for each in step.candidates}
        return Choice(None if step.choice is None else step.candidates[step.choice].phrase, shares)

    def best(episode: Episode) -> Choice:
        return _pursued(episode, scored)

    def likely(episode: Episode) -> Choice:
        rng = random.Random(zlib.crc32(f"{episode.scene.id}/{len(episode.history)}".encode()))
        feasible = [each.phrase for each in decide(episode).candidates if each.affordance >= LIKELY or each.skill == DONE]
        return Choice(rng.choice(feasible))

    def blind(episode: Episode) -> Choice:
        if not episode.history:
            mind = episode.imagined()
            ended = act(mind, best)
            episode.plan = [record.phrase for record in mind.history] + [library.done_phrase] * ended
        number = len(episode.history)
        return Choice(episode.plan[number] if number < len(episode.plan) else None)

    phrases = [option.phrase for option in library.candidates()]

    def written(episode: Episode) -> Choice:
        subtask = episode.agenda.next(episode.look()) if episode.agenda else None
        words, steps = (subtask.text, subtask.history) if subtask else (episode.scene.instruction, episode.history)
        line = write(saycan.dialogue.context(words, steps))
        return Choice(difflib.get_close_matches(line.lower(), phrases, 1, 0.0)[0])

    def text(episode: Episode) -> Choice:
        return _pursued(episode, written)

    return {"best": best, "likely": likely, "blind": blind, "text": text, "keywords": _keywords}[condition.way]


def _pursued(episode: Episode, choose: Choose) -> Choice:
    """The choice for the errand that is pursued now: `done` goes on with the next one until the last."""
    choice = choose(episode)
    while choice.phrase is not None and episode.is_done(choice.phrase) and episode.agenda and not episode.agenda.finish():
        choice = choose(episode)
    return choice


def _keywords(episode: Episode) -> Choice:
    plan = keyword_plan(episode.scene.instruction)
    return Choice(plan[min(len(episode.history), len(plan) - 1)])
