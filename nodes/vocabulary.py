"""Says what to look for: the words of a skill library, or a list, until somebody asks for others. Never what the simulator knows."""

from __future__ import annotations

from dataclasses import dataclass

from seesay.errors import PromptError
from seesay.messages import Prompt
from seesay.nodes.prompting import PromptKeeper
from seesay.nodes.runtime import Node


@dataclass(frozen=True)
class Config:
    """prompts: what to look for, besides all objects of the skill library ("tabletop", or the path of a TOML file)."""

    prompts: tuple[str | Prompt, ...] = ()
    library: str = ""


def run(node: Node, config: Config) -> None:
    words = list(config.prompts)
    if config.library:
        from seesay.planner.skills import load_library

        words += load_library(config.library).prompts()
    if not words:
        raise PromptError('vocabulary: expected prompts = ["a red block"] or library = "tabletop", got neither; give one')
    PromptKeeper(node, words)
    node.ready(f"{len(words)} prompts")
    node.stop.wait()
