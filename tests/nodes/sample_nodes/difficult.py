"""Does not behave: `how` says in which way."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass

from seesay.errors import ModelError, SourceError
from seesay.nodes.runtime import Node


@dataclass(frozen=True)
class Config:
    how: str = "deaf"


def run(node: Node, config: Config) -> None:
    if config.how == "user error":
        raise ModelError("model: expected a local folder, got 'nowhere'; download it first")
    if config.how == "bug":
        raise ZeroDivisionError("a bug")
    if config.how == "missing":
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    if config.how == "crash":
        os._exit(7)
    if config.how == "unplugged":
        node.ready()
        time.sleep(0.5)
        raise SourceError("source: the camera is gone")
    if config.how == "short":
        return
    if config.how == "slow":
        try:
            while True:
                time.sleep(0.05)
        except KeyboardInterrupt as error:   # as libraries do whose modules are being imported
            raise ImportError("half imported") from error
    if config.how == "parent":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        node.ready(str(child.pid))
    else:
        node.ready("deaf")
    while True:
        time.sleep(0.05)
