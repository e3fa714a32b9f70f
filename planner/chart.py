"""SayCan's bar chart of one decision (arXiv:2204.01691, figure 3): language, affordance and their product for each candidate."""

from __future__ import annotations

import math
from html import escape

from seesay.messages import Candidate, PlanStep
from seesay.planner.explain import shown

ROWS = 12
ROW_HEIGHT = 34
LABEL_WIDTH = 430
BAR_WIDTH = 300
COLOURS = {"language": "#4c78a8", "affordance": "#e45756", "combined": "#54a24b"}


def shares(step: PlanStep) -> list[dict[str, float]]:
    """Lengths of each candidate's bars in [0, 1], in the order of the candidates.

    language: p(phrase) relative to the likeliest phrase, 0 if not scored. affordance: p(success). combined: share among all candidates.
    """
    spoken = [candidate.log_p_language for candidate in step.candidates]
    top = max((log_p for log_p in spoken if log_p is not None), default=0.0)
    return [
        {
            "language": math.exp(min(0.0, log_p - top)) if log_p is not None and top > -math.inf else 0.0,
            "affordance": max(0.0, min(1.0, candidate.affordance)),
            "combined": max(0.0, min(1.0, candidate.probability)),
        }
        for log_p, candidate in zip(spoken, step.candidates, strict=True)
    ]


def chart(step: PlanStep, rows: int = ROWS) -> str:
    """An SVG element: bars of the best candidates, the choice first, the language model's favourite among them, and what decided."""
    best, lengths = shown(step, rows), shares(step)
    height, width = ROW_HEIGHT * len(best) + 4, LABEL_WIDTH + BAR_WIDTH + 360
    parts = [f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" font-family="inherit" font-size="13">']
    for row, (index, candidate) in enumerate(best):
        parts += _row(candidate, lengths[index], row * ROW_HEIGHT + 2, chosen=index == step.choice)
    return "\n".join([*parts, "</svg>"])


def picture(step: PlanStep, rows: int = ROWS) -> str:
    """The chart as an SVG file of its own, with the instruction and a key above it."""
    inner = chart(step, rows)
    height, width = ROW_HEIGHT * min(rows, len(step.candidates)) + 54, LABEL_WIDTH + BAR_WIDTH + 360
    key = "".join(
        f'<rect x="{LABEL_WIDTH + 110 * i}" y="30" width="10" height="10" fill="{colour}"/>'
        f'<text x="{LABEL_WIDTH + 110 * i + 16}" y="39">{name}</text>'
        for i, (name, colour) in enumerate(COLOURS.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="13"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="8" y="19" font-size="15">Step {step.step}: {escape(step.subtask or step.instruction)}</text>{key}'
        f'<g transform="translate(0 50)">{inner}</g></svg>\n'
    )


def _row(candidate: Candidate, lengths: dict[str, float], y: int, chosen: bool) -> list[str]:
    weight = "bold" if chosen else "normal"
    why = "; ".join(candidate.reasons) if chosen else candidate.why_not
    spoken = "not scored" if candidate.log_p_language is None else f"{candidate.log_p_language:.2f}"
    title = f"log p language {spoken}, affordance {candidate.affordance:.3f}, share {candidate.probability:.3f}"
    parts = [f"<g><title>{escape(title)}</title>",
             f'<text x="{LABEL_WIDTH - 8}" y="{y + 19}" text-anchor="end" font-weight="{weight}">{escape(candidate.phrase)}</text>']
    for line, (name, length) in enumerate(lengths.items()):
        colour = COLOURS[name]
        parts.append(f'<rect x="{LABEL_WIDTH}" y="{y + 2 + 9 * line}" width="{length * BAR_WIDTH:.1f}" height="8" fill="{colour}"/>')
    parts.append(f'<text x="{LABEL_WIDTH + BAR_WIDTH + 10}" y="{y + 19}" fill="#666" font-size="12">{escape(why)}</text></g>')
    return parts
