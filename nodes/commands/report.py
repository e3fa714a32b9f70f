"""The demo's HTML report: one file without scripts or links to the network, with SayCan's bar chart of each decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from seesay.messages import PlanStep, SkillResult
from seesay.nodes.commands.ages import AgeSummary
from seesay.planner.chart import COLOURS, chart

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
table { border-collapse: collapse } th, td { padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums } tr + tr td { border-top: 1px solid #eee }
.good { color: #1a7f37 } .bad { color: #b42318 } svg { max-width: 100%; height: auto } video { max-width: 100% }
.key span { padding-right: 1.2rem } .key i { display: inline-block; width: .8rem; height: .8rem; margin-right: .3rem }
"""


@dataclass(frozen=True)
class Report:
    """What the report tells. `facts` are shown as they are (seed, models, times); `success` is the simulator's word."""

    instruction: str
    success: bool
    planner_message: str
    verdict_message: str
    steps: Sequence[PlanStep]
    results: Mapping[int, SkillResult]
    ages: Sequence[AgeSummary]
    facts: Mapping[str, str]
    video: str = ""


def render(report: Report) -> str:
    """The whole page."""
    outcome = '<b class="good">Success</b>' if report.success else '<b class="bad">Failure</b>'
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(report.instruction)}</title><style>{STYLE}</style></head><body>',
        f"<h1>{escape(report.instruction)}</h1>",
        f"<p>{outcome}: {escape(report.verdict_message)}. The planner: {escape(report.planner_message)}.</p>",
        _facts(report.facts),
    ]
    if report.video:
        parts.append(f'<video src="{escape(report.video)}" controls muted loop></video>')
    parts.append(
        '<p class="key">'
        + "".join(f'<span><i style="background:{colour}"></i>{name}</span>' for name, colour in COLOURS.items())
        + "</p><p>Language bars are relative to the likeliest phrase; combined bars are shares among all candidates.</p>"
    )
    for step in report.steps:
        parts += _step(step, report.results.get(step.step))
    parts += ["<h2>Age of the evidence</h2>", _ages(report.ages), "</body></html>"]
    return "\n".join(parts)


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts.items())
    return f"<table>{rows}</table>"


def _step(step: PlanStep, result: SkillResult | None) -> list[str]:
    choice = "nothing is feasible" if step.choice is None else step.candidates[step.choice].phrase
    parts = [
        f"<h2>Step {step.step}: {escape(choice)}</h2>",
        f"<p>Decided in {step.decision_ms:.0f} ms among {len(step.candidates)} candidates, "
        f"on evidence {step.evidence_age_ms:.0f} ms old.</p>",
        chart(step),
    ]
    if result is not None:
        kind = "good" if result.outcome == "succeeded" else "bad"
        parts.append(f'<p><b class="{kind}">{escape(result.outcome)}</b>: {escape(result.message)}</p>')
    return parts


def _ages(ages: Sequence[AgeSummary]) -> str:
    rows = "".join(
        f'<tr><td>{escape(a.topic)}</td><td class="n">{a.count}</td><td class="n">{a.median_ms:.0f}</td>'
        f'<td class="n">{a.p95_ms:.0f}</td><td class="n">{a.worst_ms:.0f}</td></tr>'
        for a in ages
    )
    head = "".join(f'<th class="n">{name}</th>' for name in ("messages", "median ms", "95 % ms", "worst ms"))
    return f"<table><tr><th>topic</th>{head}</tr>{rows}</table>"
