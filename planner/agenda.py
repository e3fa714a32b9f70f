"""The goals of one instruction and which of them are reached, kept while things move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from seesay.messages import Objects
from seesay.planner.expansion import Unseen, expand
from seesay.planner.prompt import StepRecord
from seesay.planner.reading import Clause
from seesay.planner.relations import holds
from seesay.planner.scene import Goal, Unclear, names_of
from seesay.planner.skills import Library, Option

SIGHTINGS = 2
"""Looks in a row under its name after which a thing that came into view later counts among "all the blocks"."""


@dataclass(frozen=True)
class Subtask:
    """What the next step serves: `text` as a plain instruction, `history` its own steps so far, the `option` whose effect it wants, and how
    sure it is that it is done, in [0, 1], with the reason of a low value. idle: phrases that plainly do not serve it, with the reason.
    then: how `after` knows what follows, where that is not told by the option's effect."""

    text: str
    history: tuple[StepRecord, ...]
    option: Option | None
    done: float
    reason: str = ""
    idle: Mapping[str, str] = field(default_factory=dict)
    then: Callable[[StepRecord, Objects], Subtask] | None = None

    def after(self, record: StepRecord, objects: Objects, library: Library) -> Subtask:
        """The same after one more step that has led to `objects`."""
        if self.then is not None:
            return self.then(record, objects)
        reached = self.option is not None and holds(self.option, library, objects) is True
        reason = "" if reached else self.reason
        return Subtask(self.text, (*self.history, record), self.option, library.done_rule.probability(reached), reason)


class Agenda:
    """Goals in order. Each stays as it was first understood; things that come into view later add goals."""

    def __init__(self, clauses: Sequence[Clause], library: Library) -> None:
        self._clauses, self._library = clauses, library
        self.goals: list[Goal] = []
        self._records: dict[Goal, list[StepRecord]] = {}
        self._reached: set[Goal] = set()
        self._dropped: set[Goal] = set()
        self._open: list[Goal] = []
        self._looks: Counter[str] = Counter()
        self._here: list[str] = []
        self.current: Goal | None = None

    def update(self, objects: Objects) -> None:
        """Take in the newest objects. Raises Unclear and Unseen, see `expand`, while there are no goals yet."""
        labels = {thing.label for thing in objects.objects if thing.status != "lost"}
        self._looks = Counter({name: self._looks[name] + 1 for name in labels})
        first = not self.goals
        new = [name for name in self._library.prompts() if name in labels and name not in self._here]
        joined = [name for name in new if first or self._looks[name] >= SIGHTINGS]
        if not first and not joined:
            return
        try:
            goals = expand(self._clauses, self._library, objects, [*self._here, *joined])
        except (Unclear, Unseen):
            if first:
                raise
            return
        self._here += joined
        moved = {goal.thing for goal in self.goals}
        self.goals += [goal for goal in goals if first or goal.thing not in moved]

    def settle(self, option: Option) -> bool:
        """Take an option for what the instruction means, if that is one thing to one place; tell whether it is.

        For an instruction that was unclear (`update` has raised) until a person chose.
        """
        wanted = [phrase for clause in self._clauses for phrase in (*clause.things, *clause.target)]
        skill = None if option.relation is None else self._library.skill(option.skill)
        if skill is None or len(self._clauses) != 1 or len(wanted) != 2 or any(phrase.number != 1 for phrase in wanted):
            return False
        self.goals, self._clauses = [Goal(option, option.arguments[skill.picks], option.arguments[skill.goes_to])], ()
        return True

    def next(self, objects: Objects, verify: bool = True) -> Subtask:
        """The first goal that is not reached; the last one, as done, when all are."""
        self._open = [goal for goal in self.goals if not self._is_reached(goal, objects, verify)]
        self.current = self._open[0] if self._open else None
        if self.current is not None:
            if self.current in self._reached:  # it was, and things have been moved since
                self._reached.discard(self.current)
                self._records.pop(self.current, None)
            records = tuple(self._records.get(self.current, ()))
            missing = f"{self.current.thing} not seen {self.current.option.relation} the {self.current.place}"
            return Subtask(self.current.text, records, self.current.option, self._library.done_rule.probability(False), missing)
        last = self.goals[-1]
        records = tuple(self._records.get(last, ()))
        if not records or not records[-1].succeeded:
            records += (StepRecord(last.option.phrase),)
        return Subtask(last.text, records, last.option, self._library.done_rule.probability(True))

    def wanted(self, objects: Objects, verify: bool = True) -> list[str]:
        """Objects that must be seen: those of the next goal, before the first step those of all goals."""
        open_goals = [goal for goal in self.goals if not self._is_reached(goal, objects, verify)]
        return list(names_of(open_goals[:1] if self._records else open_goals, self._library.places))

    def record(self, record: StepRecord) -> None:
        """A step for the current goal has ended."""
        if self.current is not None:
            self._records.setdefault(self.current, []).append(record)
            if record.succeeded and record.phrase == self.current.option.phrase:
                self._reached.add(self.current)

    def correct(self, record: StepRecord) -> None:
        """The last step is seen to have failed."""
        for goal, records in self._records.items():
            if records and records[-1].phrase == record.phrase and goal is self.current:
                records[-1] = record
                self._reached.discard(goal)

    def finish(self) -> bool:
        """`done` was chosen: the current goal is not pursued any more. True if it was the last."""
        if self.current is not None:
            self._dropped.add(self.current)
            self._open.remove(self.current)
        return not self._open

    def _is_reached(self, goal: Goal, objects: Objects, verify: bool) -> bool:
        if goal in self._dropped:
            return True
        done = goal in self._reached
        later = self.goals[self.goals.index(goal) + 1 :]
        if not verify or goal.passing or (done and any(other.thing == goal.thing for other in later)):
            return done
        seen = holds(goal.option, self._library, objects)
        return done if seen is None else seen
