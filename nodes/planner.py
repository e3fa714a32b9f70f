"""Instructions and objects in, decisions and goals out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from seesay import topics
from seesay.config import between
from seesay.messages import Instruction, WithoutAnswer
from seesay.nodes.runtime import Node
from seesay.planner.lengths import Length


@dataclass(frozen=True)
class Config:
    """lm: "gemma3-270m", a Hugging Face id, a folder, a GGUF file or a server's URL#MODEL. score_all: score impossible options too, for
    reports. length: see planner/lengths.py. lookahead: how many of the best options are judged by the best step after them too. ask: how
    often what is meant shall be among the options kept (0.8; 0: never ask); without_answer: what happens after ask_timeout_s.
    goal_timeout_s: for the executor to end one goal; longer than its own."""

    library: str = "tabletop"
    lm: str = "gemma3-270m"
    mode: Literal["combined", "language_only", "affordance_only"] = "combined"
    score_all: bool = False
    length: Length = "sum"
    lookahead: int = 0
    max_steps: int = 16
    patience_s: float = 5.0
    timeout_s: float = 600.0
    goal_timeout_s: float = 90.0
    ask: Annotated[float, between(0, 1)] = 0.0
    ask_timeout_s: float = 60.0
    without_answer: WithoutAnswer = "best"


def run(node: Node, config: Config) -> None:
    from seesay.nodes.planner_questions import PlannerQuestions, help_of
    from seesay.nodes.planner_services import PlannerServices
    from seesay.nodes.planner_tasks import PlannerTasks
    from seesay.planner.backends import load_scorer
    from seesay.planner.saycan import SayCan
    from seesay.planner.skills import load_library
    from seesay.planner.task import Task

    scorer = load_scorer(config.lm, length=config.length)
    library = load_library(config.library)
    help = help_of(config.library, library, scorer.name, config.ask, config.ask_timeout_s, config.without_answer) if config.ask else None
    saycan = SayCan(library, scorer, mode=config.mode, score_all=config.score_all, lookahead=config.lookahead)
    saycan.warm()
    instructions, results = node.bus.subscriber(topics.INSTRUCTION), node.bus.subscriber(topics.SKILL_RESULT)
    objects, arm = node.bus.subscriber(topics.OBJECTS), node.bus.subscriber(topics.ARM_STATE)
    services = PlannerServices(node, saycan, objects, arm)
    questions = PlannerQuestions(node, services.model)

    def begin(instruction: Instruction, now_ns: int) -> Task:
        return Task(
            instruction, saycan, now_ns, max_steps=config.max_steps, patience_s=config.patience_s, timeout_s=config.timeout_s,
            goal_timeout_s=config.goal_timeout_s, help=help,
        )  # fmt: skip

    tasks = PlannerTasks(node, begin, services.model)
    node.ready(config.lm)
    while not node.stop.is_set():
        questions.follow(tasks.task)
        node.wait([instructions, results, objects], 0.2)
        for instruction in instructions.take_all():
            tasks.order(instruction.message)
        for result in results.take_all():
            tasks.report(result.message)
        objects.take(0)
        seen, gripper = objects.latest(), arm.latest()
        tasks.advance(seen.message if seen else None, gripper.message if gripper else None)
