"""Takes every instruction."""

from dataclasses import dataclass

from seesay.nodes.runtime import Node
from seesay.topics import INSTRUCTION


@dataclass(frozen=True)
class Config:
    pass


def run(node: Node, config: Config) -> None:
    subscriber = node.subscribe(INSTRUCTION)
    node.ready()
    for _ in node.messages(subscriber):
        pass
