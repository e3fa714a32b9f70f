"""What the system sees and decides, live in a terminal."""

from __future__ import annotations

import os
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from seesay import topics
from seesay.nodes.commands.tables import objects_table, step_table
from seesay.nodes.runtime import Node


@dataclass(frozen=True)
class Config:
    """rate_hz: how often the screen is drawn. rows: candidates of the last decision to show. terminal: its device; this one if empty."""

    rate_hz: float = 4.0
    rows: int = 8
    terminal: str = ""


def run(node: Node, config: Config) -> None:
    objects, steps = node.bus.subscriber(topics.OBJECTS), node.bus.subscriber(topics.PLAN_STEP)
    statuses, results = node.bus.subscriber(topics.NODE_STATUS), node.bus.subscriber(topics.TASK_RESULT)
    states: dict[str, str] = {}

    def screen() -> RenderableType:
        for received in statuses.take_all():
            states[received.message.node] = f"{received.message.node} {received.message.state}"
        parts: list[RenderableType] = [Text("  ".join(states[name] for name in sorted(states)), style="dim")]
        seen, step, result = objects.latest(), steps.latest(), results.latest()
        parts.append(objects_table(seen.message.objects, seen.message.header.stamp_ns) if seen else Text("nothing seen yet"))
        if step is not None:
            parts.append(step_table(step.message, config.rows))
        if result is not None:
            parts.append(Text(f"{result.message.outcome}: {result.message.message}"))
        return Group(*parts)

    node.ready()
    terminal = os.open(config.terminal, os.O_WRONLY | os.O_NOCTTY) if config.terminal else os.dup(1)
    with os.fdopen(terminal, "w") as file, Live(screen(), console=Console(file=file), refresh_per_second=config.rate_hz) as live:
        while not node.stop.wait(1 / config.rate_hz):
            live.update(screen())
