"""Says its gain ten times a second; knows a live parameter, one with a range, and one that is taken when it is configured."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from seesay.config import LIVE, between
from seesay.errors import ConfigError
from seesay.messages import Instruction
from seesay.nodes.runtime import Node
from seesay.topics import INSTRUCTION


@dataclass(frozen=True)
class Config:
    word: str = "hello"
    gain: Annotated[float, between(0, 10), LIVE] = 1.0
    mode: Literal["slow", "fast"] = "slow"
    cameras: tuple[str, ...] = ("front",)
    folder: Path = Path("runs")


def run(node: Node, config: Config) -> None:
    newest = [config]

    def adjust(config: Config) -> None:
        if config.gain == 7:
            raise ConfigError("gain: 7 is not possible today")
        newest[:] = [config]

    node.on_change(adjust)
    node.ready(config.word)
    for _ in node.every(0.1):
        node.publish(INSTRUCTION, Instruction(node.header(), "1", f"{config.word} {newest[0].gain:g}"))
