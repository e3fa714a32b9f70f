"""How many of `paraphrases.toml`'s instructions the planner's grammar reads as meant: `python -m tests.planner.paraphrases`."""

from __future__ import annotations

import tomllib
from pathlib import Path

from seesay.messages import Objects
from seesay.planner.expansion import Unseen, expand
from seesay.planner.reading import read
from seesay.planner.scene import Goal, Unclear
from seesay.planner.skills import load_library
from tests.planner.things import scene, thing

LIBRARY = load_library()
FILE = tomllib.loads((Path(__file__).parent / "paraphrases.toml").read_text())
CORNERS = ["top left corner", "top right corner", "bottom right corner", "bottom left corner"]
SPOTS = [(-0.08, 0.05), (0.09, 0.03), (-0.05, -0.07), (0.06, -0.06), (0.02, 0.1)]


def table(names: list[str]) -> Objects:
    """The things at fixed spots, none at a named place."""
    return scene(*[thing(i + 1, name, *SPOTS[i], size=0.12 if "bowl" in name else 0.045) for i, name in enumerate(names)])


def means(text: str, names: list[str]) -> tuple[Goal, ...] | None:
    """Goals of an instruction on that table; None where the grammar leaves it to the language model."""
    clauses = read(text, LIBRARY)
    if clauses is None:
        return None
    try:
        return expand(clauses, LIBRARY, table(names), names)
    except (Unclear, Unseen):
        return None


def as_meant(text: str, meaning: str, names: list[str]) -> bool:
    """Whether an instruction is read as the file says."""
    goals = means(text, names)
    if meaning == "plain" or goals is None:
        return meaning == "plain" and goals is None
    pairs = [(goal.thing, goal.place) for goal in goals]
    kind, _, rest = meaning.rpartition(": ")
    if not kind:
        wanted = {tuple(step.split(" > ")) for step in rest.split("; ")} if rest else set()
        return len(pairs) == len(wanted) and {*pairs} == wanted
    things, _, place = rest.partition(" > ")
    named = set(things.split(", "))
    match kind:
        case "spread":
            places = {place for _, place in pairs}
            return {thing for thing, _ in pairs} == named and len(places) == len(pairs) and places <= {*CORNERS}
        case "stack":
            base = next((at for at in (goal.place for goal in goals) if at not in {goal.thing for goal in goals}), "")
            chain = [*dict.fromkeys([name for pair in reversed(pairs) for name in pair])]
            expected = named | ({place} if place else set())
            return set(chain) == expected and len(pairs) == len(expected) - 1 and (not place or base == place)
        case _:
            turn = [place for _, place in pairs]
            cycle = CORNERS if place != "counterclockwise" else CORNERS[::-1]
            start = cycle.index(turn[0]) if turn else 0
            return {thing for thing, _ in pairs} == named and (
                turn == cycle[start:] + cycle[:start] or (place == "corners" and {*turn} == {*CORNERS} and len(turn) == 4)
            )


def main() -> None:
    for name in ("development", "held_out"):
        rows = FILE.get(name, {})
        wrong = [text for text, meaning in rows.items() if not as_meant(text, meaning, FILE["objects"])]
        for text in wrong:
            goals = means(text, FILE["objects"])
            print(
                f"  {text!r}: meant {rows[text]!r}, read", "plain" if goals is None else "; ".join(f"{g.thing} > {g.place}" for g in goals)
            )
        print(f"{name}: {len(rows) - len(wrong)} of {len(rows)} as meant")


if __name__ == "__main__":
    main()
