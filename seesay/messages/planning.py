"""What to do: instructions, decisions with all their terms, goals of skills and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seesay.messages.checks import check_array, check_finite
from seesay.messages.pictures import Header

Outcome = Literal[
    "succeeded", "grasp_failed", "dropped", "unreachable", "stale", "timeout", "cancelled", "stopped", "failed"
]
TaskOutcome = Literal["done", "failed", "refused", "timeout", "cancelled"]
WithoutAnswer = Literal["best", "stop", "wait"]


@dataclass(frozen=True, slots=True)
class Instruction:
    """What a person asks for. A new id starts a new task."""

    header: Header
    id: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Where a skill acts, as perceived: label, object id (0 for a named place), `(3,) float64` metres position and extent in the goal's
    frame, the stamp of the picture that shows it, and `yaw` as in Object."""

    label: str
    object_id: int
    position: NDArray[np.float64]
    extent: NDArray[np.float64]
    stamp_ns: int
    yaw: float = 0.0

    def __post_init__(self) -> None:
        check_array("Target.position", self.position, "float64", (3,))
        check_array("Target.extent", self.extent, "float64", (3,))
        check_finite("Target.position", self.position)


@dataclass(frozen=True, slots=True)
class SkillGoal:
    """One skill to run. `skill` is its name in the skill library (pick, place, pick_and_place, push, approach,
    go_home), `targets` by argument name."""

    header: Header
    id: str
    skill: str
    phrase: str
    targets: dict[str, Target]


@dataclass(frozen=True, slots=True)
class SkillCancel:
    """Ends the goal of that id in good order, if it runs; its result, `cancelled`, comes as usual."""

    header: Header
    goal_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class SkillFeedback:
    """Progress of a running goal, `progress` in [0, 1]."""

    header: Header
    goal_id: str
    phase: str
    progress: float


@dataclass(frozen=True, slots=True)
class SkillResult:
    """How a goal ended. `message` is a sentence for a person and for the planner's history."""

    header: Header
    goal_id: str
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One skill phrase with every term of its score.

    log_p_language: natural log-probability of the phrase with its terminator, None if not scored (affordance 0).
    affordance: p(success) in [0, 1]. log_score: combined, -inf if impossible. probability: share among the candidates, in [0, 1].
    reasons: what the affordance is made of. why_not: why it was not chosen, empty for the choice.
    """

    phrase: str
    skill: str
    arguments: dict[str, str]
    log_p_language: float | None
    affordance: float
    log_score: float
    probability: float
    reasons: tuple[str, ...] = ()
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One decision: all candidates in library order and the index of the choice (None = nothing is feasible).

    `decision_ms` is the time of scoring; `evidence_age_ms` the age of the oldest object used when the decision was made.
    `subtask` is the part of the instruction that the step serves, in plain words; empty for the whole instruction.
    `asked`: the phrases that a person was asked to choose from, none where nobody was asked; `answer`: what came of it.
    """

    header: Header
    instruction_id: str
    instruction: str
    step: int
    candidates: tuple[Candidate, ...]
    choice: int | None
    history: tuple[str, ...] = ()
    decision_ms: float = 0.0
    evidence_age_ms: float = 0.0
    subtask: str = ""
    asked: tuple[str, ...] = ()
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What the planner asks a person who gave an instruction: which of `options`, phrases of its skills, is meant. Surest first.

    confidences: of each option, in [0, 1]. until_ns: on the header's clock, when the planner goes on without an answer, 0 for never;
    otherwise: what it does then. answer: what came of it; empty while the question is open.
    """

    header: Header
    id: str
    instruction_id: str
    instruction: str
    options: tuple[str, ...]
    confidences: tuple[float, ...]
    until_ns: int = 0
    otherwise: WithoutAnswer = "best"
    answer: str = ""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How an instruction ended, as the planner sees it."""

    header: Header
    instruction_id: str
    outcome: TaskOutcome
    message: str
    steps: int = 0


@dataclass(frozen=True, slots=True)
class TaskVerdict:
    """How things really stand, by the simulator's own state. For reports only: no node in the loop subscribes to it."""

    header: Header
    success: bool
    message: str
