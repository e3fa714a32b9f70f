"""A planner of your own: `seesay launch tabletop.toml` in one terminal, this program with an instruction in another.

It is SayCan once more, made of the planner's parts; put your own rule into the line that chooses.
"""

import math
import sys

from seesay import topics
from seesay.bus import AnyBus, Bus
from seesay.messages import AffordancesRequest, Header, ScoreRequest
from seesay.nodes.sessions import running
from seesay.services import AFFORDANCES, SCORE


def follow(bus: AnyBus, instruction: str, most_steps: int = 5) -> None:
    goals, results, steps = bus.publisher(topics.SKILL_GOAL), bus.subscriber(topics.SKILL_RESULT), tuple[str, ...]()
    while goals.wait_for_subscribers(1, timeout=30) and len(steps) < most_steps:
        can = bus.client(AFFORDANCES).call(AffordancesRequest(Header(0), steps), timeout_s=30).affordances
        say = bus.client(SCORE).call(ScoreRequest(Header(0), instruction, history=steps), timeout_s=60).log_p
        best, _ = max(zip(can, say, strict=True), key=lambda pair: pair[0].probability * math.exp(pair[1]))
        if best.goal is None:                                    # `done`
            break
        goals.send(best.goal)
        result = results.take(timeout=120)
        print(f"{best.phrase}: {result.message.outcome if result else 'no answer'}")
        steps = (*steps, best.phrase)


if __name__ == "__main__":
    with Bus(running(), "my_planner") as bus:
        follow(bus, " ".join(sys.argv[1:]))
