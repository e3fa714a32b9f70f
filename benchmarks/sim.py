"""The simulator alone: physics rate, render rate, and how often its skills succeed when positions carry an error.

    python -m benchmarks.sim [--trials 20] [--sigma-mm 5] [--json]

Skills see a thing's true position plus normal errors (`sigma` on x and y each, 2 mm in height, 5 % of size, 0.06 rad of yaw) and the
arm's sensors; the true state judges.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.progress import track

from benchmarks.common import show
from seesay.sim import oracle
from seesay.sim.drive import run_goal
from seesay.sim.goals import Atom
from seesay.sim.places import PLACES
from seesay.sim.scene import random_scene
from seesay.sim.tasks import lay
from seesay.sim.world import World

KINDS = [(pick, place) for pick in ("block", "ball", "can", "cup") for place in ("bowl", "plate", "block", "middle")]
KINDS.remove(("ball", "block"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20, help="pick-and-place trials of each kind (0: none)")
    parser.add_argument("--sigma-mm", type=float, default=5.0, help="error of a perceived position on x and y each, millimetres")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    options = parser.parse_args()
    figures: dict[str, Any] = {**physics(), **rendering()}
    for pick, place in track([kind for kind in KINDS if options.trials], "pick and place"):
        done = sum(trial(pick, place, seed, options.sigma_mm / 1000) for seed in range(options.trials))
        figures[f"success_{pick}_{place}"] = done / options.trials
    figures |= {"trials_per_kind": options.trials, "position_sigma_mm": options.sigma_mm}
    show("simulator", figures, options.json)


def physics(seconds: float = 8.0) -> dict[str, float]:
    """Rates of a world of 7 things: resting, and while the arm works."""
    scene = random_scene(1, "test", (7, 7))
    build_s = _seconds(lambda: World(scene))
    world = World(scene)
    steps = seconds / world.model.opt.timestep
    rest_s = _seconds(lambda: world.step(seconds))
    world = World(lay(["red block", "green bowl", "blue block", "yellow bowl", "pink cup", "cyan can", "white ball"], 1))
    goal = oracle.skill_goal(world, "pick_and_place", np.random.default_rng(0), 0.0, object="red block", place="green bowl")
    work_s = _seconds(lambda: run_goal(world, goal))
    worked = world.time_ns * 1e-9
    return {
        "build_ms": build_s * 1e3,
        "physics_steps_per_s_at_rest": steps / rest_s,
        "physics_steps_per_s_pick_and_place": worked / world.model.opt.timestep / work_s,
        "times_real_time_pick_and_place": worked / work_s,
        "pick_and_place_simulated_s": worked,
    }


def rendering(frames: int = 30) -> dict[str, float]:
    """Times of one 320x240 picture of a world of 7 things."""
    from seesay.sim.cameras import Cameras
    from seesay.sim.render import Renderer

    world = World(random_scene(1, "test", (7, 7)))
    with Renderer(world.model) as renderer:
        renderer.colour(world.data, "front")
        colour_s = _seconds(lambda: [renderer.colour(world.data, "front") for _ in range(frames)]) / frames
    with Cameras(world) as cameras:
        both_s = _seconds(lambda: [[cameras.look(name) for name in cameras.names] for _ in range(frames)]) / frames
    return {"colour_ms": colour_s * 1e3, "two_cameras_rgbd_ms": both_s * 1e3, "two_cameras_rgbd_hz": 1 / both_s}


def trial(pick: str, place: str, seed: int, sigma: float) -> bool:
    """One pick-and-place among five other things; whether the true state has it done."""
    rng = np.random.default_rng([seed, 5])
    thing, where = f"red {pick}", place if place in PLACES else f"green {place}"
    others = rng.permutation(
        [f"{colour} {shape}" for colour in ("blue", "pink", "white") for shape in ("block", "bowl", "can", "cup", "ball")]
    )
    names = [thing, *([] if place in PLACES else [where]), *map(str, others[:5])]
    world = World(lay(names, seed, free=[place] if place in PLACES else []))
    run_goal(world, oracle.skill_goal(world, "pick_and_place", rng, sigma, object=thing, place=where))
    relation = "at" if place in PLACES else "in" if place == "bowl" else "on"
    return oracle.judge(world, Atom(relation, (thing, where))).success


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
