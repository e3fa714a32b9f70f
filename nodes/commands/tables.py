"""What people see of a decision in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from seesay.messages import Object, PlanStep
from seesay.planner.chart import COLOURS, shares
from seesay.planner.explain import shown


def bar(share: float, width: int = 5) -> str:
    """A horizontal bar for a number in [0, 1]."""
    full = round(max(0.0, min(1.0, share)) * width)
    return "█" * full + "░" * (width - full)


def step_table(step: PlanStep, rows: int = 6) -> Table:
    """The best `rows` candidates of one decision with every term of their scores, each with a bar in the colour of the charts."""
    table = Table(
        title=f"Step {step.step}: {step.subtask or step.instruction}",
        caption=f"decided in {step.decision_ms:.0f} ms on evidence {step.evidence_age_ms:.0f} ms old; "
        f"{len(step.candidates)} candidates" + (f"; asked about {len(step.asked)}, {step.answer}" if step.asked else ""),
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("candidate", ratio=3)
    table.add_column("log p", justify="right", no_wrap=True)
    table.add_column("affordance", no_wrap=True)
    table.add_column("combined", no_wrap=True)
    table.add_column("why, why not", ratio=2)
    lengths = shares(step)
    for index, candidate in shown(step, rows):
        chosen = index == step.choice
        bars = {name: Text(bar(length, 4), style=COLOURS[name]) for name, length in lengths[index].items()}
        language = "not scored" if candidate.log_p_language is None else f"{candidate.log_p_language:.1f}"
        why = "chosen: " + "; ".join(candidate.reasons) if chosen else candidate.why_not or "; ".join(candidate.reasons)
        table.add_row(
            Text(candidate.phrase),
            Text.assemble(language, " ", bars["language"]),
            Text.assemble(bars["affordance"], f" {candidate.affordance:.2f}"),
            Text.assemble(bars["combined"], f" {candidate.probability:4.0%}"),
            Text(why.removesuffix(": ")),
            style="bold green" if chosen else "",
        )
    if step.choice is None:
        table.add_row(Text("none of them is meant" if step.asked else "nothing is feasible"), "", "", "", "", style="bold red")
    return table


def objects_table(objects: Sequence[Object], now_ns: int) -> Table:
    """What is seen, where, and how long ago."""
    table = Table(title="Objects", title_justify="left")
    for column in ("id", "label", "score", "x, y, z (m)", "state", "seen"):
        table.add_column(column, justify="left" if column in ("label", "state") else "right", no_wrap=True)
    for thing in objects:
        x, y, z = thing.position
        age = max(0.0, (now_ns - thing.last_seen_ns) / 1e9)
        table.add_row(
            str(thing.id), Text(thing.label), f"{thing.score:.2f}", f"{x:+.3f} {y:+.3f} {z:+.3f}", thing.status, f"{age:.1f} s ago",
            style="" if thing.status == "visible" else "dim",
        )
    return table
