"""What the services of perception and planner are asked, and their replies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seesay.messages.checks import check_array, check_finite
from seesay.messages.pictures import Header, Source
from seesay.messages.planning import PlanStep, Question, SkillGoal, TaskResult


@dataclass(frozen=True, slots=True)
class ObjectsRequest:
    """Asks the planner for the objects that it plans with: those that may go by `name`, or all if it is empty."""

    header: Header
    name: str = ""


@dataclass(frozen=True, slots=True)
class AffordancesRequest:
    """Asks what can be done now. `history`: phrases of the steps that have been done so far."""

    header: Header
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Affordance:
    """One option of the skill library: p(success) in [0, 1] now, what lowers it, and the goal that runs it.

    goal: None for `done`, and where an object of it is not seen.
    """

    phrase: str
    probability: float
    reasons: tuple[str, ...] = ()
    goal: SkillGoal | None = None


@dataclass(frozen=True, slots=True)
class Affordances:
    """Every option in library order, `done` last."""

    header: Header
    affordances: tuple[Affordance, ...]


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Asks the language model how well each phrase would go on after `instruction` and the steps of `history`.

    phrases: at most 256; empty for every option of the library.
    """

    header: Header
    instruction: str
    phrases: tuple[str, ...] = ()
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scores:
    """log_p: natural log-probability of each of `phrases` with its terminator."""

    header: Header
    phrases: tuple[str, ...]
    log_p: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """Asks for the next step of `instruction` from how things stand now. `history`: phrases of the steps that have been done so far."""

    header: Header
    instruction: str
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The next step: a `goal` to run, or the `result` if nothing is left to do or can be done, or neither: look again and ask again.

    step: the decision behind it, None where none was made. message: says it in words.
    """

    header: Header
    message: str
    step: PlanStep | None = None
    goal: SkillGoal | None = None
    result: TaskResult | None = None


@dataclass(frozen=True, slots=True)
class EncodeRequest:
    """Asks a detector for the vectors of prompts."""

    header: Header
    prompts: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PromptVectors:
    """Unit vectors `(Q, D) float32` of prompts, to be compared with `Embeddings` of the same model; least score in [0, 1] of a box."""

    header: Header
    model: str
    threshold: float
    prompts: tuple[str, ...]
    vectors: NDArray[np.float32]

    def __post_init__(self) -> None:
        check_array("PromptVectors.vectors", self.vectors, "float32", (len(self.prompts), None))
        check_finite("PromptVectors.vectors", self.vectors)


@dataclass(frozen=True, slots=True)
class AskRequest:
    """Asks the visual memory in which past pictures prompts are seen.

    within_s: how old a picture may be in seconds of the node's clock, 0 = any. camera: its name, empty = any.
    limit: how many pictures to name at most for each prompt, the newest ones.
    """

    header: Header
    prompts: tuple[str, ...]
    within_s: float = 0.0
    camera: str = ""
    limit: int = 3


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A box of a past picture that a prompt names. age_s: of the picture when the question was answered.

    box: `(4,) float32` xyxy pixels of the picture. position: `(3,) float64` metres in the frame of the enclosing Sightings, centre of
    what was seen then; None where depth or pose were not known.
    """

    prompt: str
    source: Source
    age_s: float
    score: float
    box: NDArray[np.float32]
    position: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class Sightings:
    """What the visual memory found, by prompt and then newest first, after it looked through `searched` pictures."""

    header: Header
    searched: int
    sightings: tuple[Sighting, ...]


@dataclass(frozen=True, slots=True)
class QuestionRequest:
    """Asks whether the planner waits for an answer."""

    header: Header


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """The question that waits for an answer, None if none does."""

    header: Header
    question: Question | None = None


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Asks the planner to end a task now; an empty id means the one at hand. The reason is a sentence for people."""

    header: Header
    instruction_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's reply to a question: the number of an option (from 1), words that only one option has, or `none`."""

    header: Header
    question_id: str
    text: str
