"""Says a word ten times a second, and its process id."""

from dataclasses import dataclass

from seesay.messages import Instruction
from seesay.nodes.runtime import Node
from seesay.topics import INSTRUCTION


@dataclass(frozen=True)
class Config:
    word: str = "hello"


def run(node: Node, config: Config) -> None:
    node.ready("talking")
    for _ in node.every(0.1):
        node.publish(INSTRUCTION, Instruction(node.header(), "1", config.word))
