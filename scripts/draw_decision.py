"""The decision that docs/planner.md explains: `python -m scripts.draw_decision` writes docs/decision.svg and prints table and reasons.

A simulated table, seen by the embedded networks; the skills with their calibrated affordances; Gemma 3 270M.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.episodes import to_view
from seesay.messages import Header, Instruction
from seesay.perception import Detector, Perceiver, Segmenter
from seesay.planner.backends import load_scorer
from seesay.planner.chart import picture
from seesay.planner.explain import compare, ranking
from seesay.planner.saycan import SayCan
from seesay.planner.skills import load_library
from seesay.sim.cameras import Cameras
from seesay.sim.tasks import lay
from seesay.sim.world import World

THINGS = ["yellow block", "red block", "blue bowl", "green bowl"]
INSTRUCTION = "put the yellow block into one of the bowls"
HIDDEN_S = 2.5
SEED = 3


def main() -> None:
    library = load_library()
    world = World(lay(THINGS, SEED))
    with Cameras(world) as cameras:
        perceiver = Perceiver(Detector.from_pretrained("embedded"), Segmenter.from_pretrained("embedded"), library.prompts())
        objects = perceiver.look([to_view(cameras.look(name)) for name in cameras.names])
    world.step(HIDDEN_S)
    saycan = SayCan(library, load_scorer(), score_all=True)
    step = saycan.decide(Instruction(Header(world.time_ns, clock="sim"), "docs", INSTRUCTION), [], objects, world.time_ns)
    Path("docs/decision.svg").write_text(picture(step, rows=6), encoding="utf-8")
    print(", ".join(f"{thing.label} {thing.score:.2f}" for thing in objects.objects))
    for _, each in ranking(step)[:8]:
        print(f"{each.phrase}: log p {each.log_p_language:.2f}, can {each.affordance:.3f}, {each.probability:.3f} {each.reasons}")
    likeliest = max(step.candidates, key=lambda each: each.log_p_language or -99.0)
    print(f"likeliest by language: {likeliest.phrase} {likeliest.log_p_language:.2f}")
    print("\n".join(compare(step, "", likeliest.phrase).sentences))


if __name__ == "__main__":
    main()
