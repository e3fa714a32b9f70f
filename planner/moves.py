"""What a task wants its caller to do."""

from __future__ import annotations

from dataclasses import dataclass

from seesay.messages import PlanStep, SkillGoal, TaskResult


@dataclass(frozen=True)
class Wait:
    """Nothing to do now; call again with newer objects."""

    reason: str


@dataclass(frozen=True)
class Act:
    """Run `goal`, then report its result. `step` is the decision behind it."""

    step: PlanStep
    goal: SkillGoal


@dataclass(frozen=True)
class End:
    """The task is over. `step` is the last decision, None where none was made now."""

    result: TaskResult
    step: PlanStep | None = None


Move = Wait | Act | End
