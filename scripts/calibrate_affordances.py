"""Fit affordances to what skills achieve: `python -m scripts.calibrate_affordances` writes `tabletop.calibration.json` beside the skills.

Each outcome: a random table in the simulator, seen through the cameras by the embedded models for one to three looks; then up to 25 s go
by, in which every thing is moved by a hand once a minute on average, so that old evidence is worth less, as it is beside people; then a
random option against which nothing but its evidence speaks is run, and the true state says whether its effect holds. Isotonic regression
(pool adjacent violators) over bins of the raw estimate gives the table; `figures` compares Brier score and calibration error before and
after, the latter by five-fold cross-validation. Before and after the run the planner's own test says whether the effect holds by what is
seen; how often it then truly holds gives the affordance of `done`. Outcomes are kept: a run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from benchmarks.common import cache
from benchmarks.episodes import to_view
from seesay.messages import Objects
from seesay.perception import Detector, Perceiver, Segmenter
from seesay.planner.affordance import AffordanceModel
from seesay.planner.binding import bind
from seesay.planner.calibration import Calibration, DoneRule, brier, calibration_error, library_file, table_of
from seesay.planner.relations import find, holds
from seesay.planner.skills import DONE, Library, Option, load_library
from seesay.sim.cameras import Cameras
from seesay.sim.drive import run_goal
from seesay.sim.goals import Atom
from seesay.sim.oracle import free_spot, judge, move_by_hand
from seesay.sim.tasks import single_task
from seesay.sim.world import World

MOVED_EVERY_S = 60.0
FIRST_SEED = 90_000
BIN = 25
"""Outcomes in one bin of raw estimates at least."""
Table = tuple[list[float], list[float]]
Row = dict[str, Any]


def outcome(seed: int, library: Library, detector: Detector, segmenter: Segmenter) -> Row | None:
    """One option run to its end; None where nothing is possible from what is seen. library: without a calibration."""
    rng = np.random.default_rng([seed, 7])
    world = World(single_task(seed).scene)
    with Cameras(world) as cameras:
        perceiver = Perceiver(detector, segmenter, library.prompts())
        for _ in range(int(rng.integers(1, 4))):
            objects = look(world, cameras, perceiver)
        _let_time_pass(world, rng)
        now = world.time_ns
        chances = _possible(library, objects, now)
        if not chances:
            return None
        option, raw = chances[int(rng.integers(len(chances)))]
        before = _reached(option, library, look(world, cameras, perceiver), taken=False), holds_truly(option, library, world)
        result = run_goal(world, bind(option, library, objects, replace(objects.header, stamp_ns=now), str(seed)))
        success = holds_truly(option, library, world)
        after = _reached(option, library, look(world, cameras, perceiver), taken=result.outcome == "succeeded"), success
    ended = {"seed": seed, "skill": option.skill, "raw": raw, "success": success, "outcome": result.outcome, "done": [before, after]}
    return ended | _features(option, objects, now)


def look(world: World, cameras: Cameras, perceiver: Perceiver) -> Objects:
    """What is seen now by all cameras; a moment goes by."""
    objects = perceiver.look([to_view(cameras.look(name)) for name in cameras.names])
    world.step(0.2)
    return objects


def holds_truly(option: Option, library: Library, world: World) -> bool:
    """Whether the option's effect holds in the true state; never for a thing that is not there."""
    names = (option.arguments["object"], option.arguments["place"])
    real = set(world.truth()) | set(library.places)
    return option.relation is not None and real.issuperset(names) and judge(world, Atom(option.relation, names)).success


def _reached(option: Option, library: Library, objects: Objects, taken: bool) -> bool:
    """What the planner takes the option's effect for; `taken` where that is not seen."""
    seen = holds(option, library, objects)
    return taken if seen is None else seen


def _possible(library: Library, objects: Objects, now_ns: int) -> list[tuple[Option, float]]:
    """Options against which nothing but their evidence speaks, with their raw estimates."""
    model, chances = AffordanceModel(), []
    for option in library.candidates():
        if option.skill != DONE:
            can, evidence = model.estimate(option, library, objects, now_ns, None, ()), model.evidence(option, library, objects, now_ns)
            if can.probability > 0.0 and set(can.reasons) <= {reason for _, reason in evidence}:
                chances.append((option, can.probability))
    return chances


def _let_time_pass(world: World, rng: np.random.Generator) -> None:
    """Up to 25 s, half of the time up to 2 s, in which hands move things."""
    seconds = float(rng.uniform(0, 2) if rng.random() < 0.5 else rng.uniform(2, 25))
    for name in list(world.truth()):
        if rng.random() < 1.0 - np.exp(-seconds / MOVED_EVERY_S):
            move_by_hand(world, name, free_spot(world, rng, name))
    world.step(seconds)


def _features(option: Option, objects: Objects, now_ns: int) -> Row:
    """What was seen of the thing: for looking into a fit, not used by it."""
    thing = find(objects, option.arguments["object"])
    assert thing is not None
    age, distance = (now_ns - thing.last_seen_ns) / 1e9, float(np.hypot(*thing.position[:2]))
    return {"score": round(thing.score, 3), "age_s": round(age, 2), "distance_m": round(distance, 3), "status": thing.status}


def fit(raw: Sequence[float], success: Sequence[bool]) -> Table:
    """A rising table (raw estimates, shares of success): isotonic over bins of BIN outcomes; nothing becomes certain or impossible."""
    from scipy.optimize import isotonic_regression

    order = np.argsort(raw, kind="stable")
    bins = np.array_split(order, max(1, len(order) // BIN))
    x = [float(np.mean(np.asarray(raw)[each])) for each in bins]
    shares = [(np.sum(np.asarray(success)[each]) + 1.0) / (len(each) + 2.0) for each in bins]
    y = isotonic_regression(shares, weights=[len(each) for each in bins]).x
    kept = [i for i in range(len(x)) if i == 0 or x[i] > x[i - 1] + 1e-4]
    return [x[i] for i in kept], [float(y[i]) for i in kept]


def apply(table: Table, raw: Sequence[float]) -> list[float]:
    """Probabilities by a table, as the planner makes them."""
    calibration = Calibration({"skill": (tuple(table[0]), tuple(table[1]))})
    return [calibration.probability("skill", value) for value in raw]


def fit_done(decisions: Sequence[Sequence[bool]]) -> DoneRule:
    """From pairs (taken to be reached, truly reached): the shares that truly are, with the rule of succession."""

    def share(taken: bool) -> float:
        truly = [bool(true) for seen, true in decisions if seen == taken]
        return round((sum(truly) + 1) / (len(truly) + 2), 5)

    return DoneRule(share(True), share(False))


def reliability(raw: Sequence[float], success: Sequence[bool]) -> Row:
    """Brier score and calibration error of the raw estimates, and of tables fitted on four fifths for the last fifth."""
    estimates, outcomes, fold = np.asarray(raw), np.asarray(success), np.arange(len(raw)) % 5
    after = np.zeros(len(raw))
    for k in range(5):
        after[fold == k] = apply(fit(estimates[fold != k].tolist(), outcomes[fold != k].tolist()), estimates[fold == k].tolist())
    scores = {"before": estimates, "after": after}
    return {
        "n": len(raw), "success": round(float(np.mean(success)), 3),
        **{f"brier_{when}": round(brier(p, success), 4) for when, p in scores.items()},
        **{f"calibration_error_{when}": round(calibration_error(p, success), 4) for when, p in scores.items()},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outcomes", type=int, default=400)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=library_file("tabletop").with_suffix(".calibration.json"))
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(arguments.threads)
    path = cache("affordances") / "outcomes.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    rows: dict[int, Row] = {row["seed"]: row for row in (json.loads(line) for line in lines if line.endswith("}"))}
    library = replace(load_library("tabletop"), calibration=None)
    detector, segmenter = Detector.from_pretrained("embedded"), Segmenter.from_pretrained("embedded")
    seeds = range(FIRST_SEED, FIRST_SEED + arguments.outcomes)
    with path.open("a") as file:
        for seed in track([seed for seed in seeds if seed not in rows], description="outcomes"):
            rows[seed] = outcome(seed, library, detector, segmenter) or {"seed": seed, "skill": ""}
            file.write(json.dumps(rows[seed]) + "\n")
            file.flush()
    skills, figures = {}, {}
    for skill in (skill.name for skill in library.skills):
        some = [rows[seed] for seed in seeds if rows[seed]["skill"] == skill]
        raw, success = [row["raw"] for row in some], [bool(row["success"]) for row in some]
        skills[skill], figures[skill] = table_of(*fit(raw, success)), reliability(raw, success)
    ends = [pair for seed in seeds for pair in rows[seed].get("done", ())]
    rule = fit_done(ends)
    figures["done"] = {"n": len(ends), "n_taken_as_reached": sum(seen for seen, _ in ends)}
    arguments.out.write_text(json.dumps({"skills": skills, "done": asdict(rule), "figures": figures}, indent=1) + "\n")
    print(f"{arguments.out}: {rule}, {figures}")


if __name__ == "__main__":
    main()
