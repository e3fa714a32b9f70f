"""The planner node with a scripted language model: after a step `done` is likely, before it two blocks are."""

from seesay.nodes import planner
from seesay.nodes.node import Node
from seesay.planner import backends
from seesay.planner.language import LanguageScorer, ScriptedScorer
from seesay.planner.lengths import Length

Config = planner.Config
FIRST = {
    "pick up the red block and place it in the green bowl": -1.0,
    "pick up the blue block and place it in the green bowl": -1.5,
}


def script(context: str, phrase: str) -> float:
    return FIRST.get(phrase, -9.0) if context.endswith("Robot: 1. ") else -0.1 if phrase == "done" else -9.0


def load(lm: str = "", threads: int | None = None, length: Length = "sum") -> LanguageScorer:
    return ScriptedScorer(script)


def run(node: Node, config: planner.Config) -> None:
    backends.load_scorer = load
    planner.run(node, config)
