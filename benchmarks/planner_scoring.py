"""One decision of the planner among 61 kitchen skills: `python -m benchmarks.planner_scoring --json`.

Three ways to the same 61 log-probabilities, each of a whole phrase with its terminator after a prompt of about 330 tokens:
naive, one full forward pass per candidate in padded batches, the vocabulary head only where a candidate's token follows;
cached and padded, keys and values of the whole prompt and its last logits given, candidates padded into one batch, the head on every
padded position; and ours. The ways run one after another in every repeat; a ratio is the median over repeats of the ratio of times.
The last comparison gives ours the same cached prompt; the first has it forward the instruction too, as at a task's first decision.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from rich.progress import track

from benchmarks.common import show
from seesay.planner.language import best_of
from seesay.planner.transformers_scorer import TransformersScorer

# Names of objects and places: unified from SayCan dataset v0 (Ahn et al. 2022, arXiv:2204.01691), CC BY 4.0.
OBJECTS = (
    "apple", "orange", "banana", "coke can", "pepsi", "7up", "sprite can", "redbull", "lime soda", "grapefruit soda", "water bottle",
    "tea", "energy bar", "rice chips", "jalapeno chips", "multigrain chips", "sea salt chips", "sponge",
)  # fmt: skip
PLACES = ("table", "counter", "far counter", "trash", "user")
PHRASES = [
    *(f"{verb} {thing}" for thing in OBJECTS for verb in ("find a", "pick up the", "put down the")),
    *(f"go to the {place}" for place in PLACES), "bring it to you", "done",
]  # fmt: skip
EXAMPLES = (
    ("bring me a fruit", ("find a apple", "pick up the apple", "bring it to you", "put down the apple", "done")),
    ("throw away the sponge", ("find a sponge", "pick up the sponge", "go to the trash", "put down the sponge", "done")),
    ("put the tea on the far counter", ("find a tea", "pick up the tea", "go to the far counter", "put down the tea", "done")),
    ("fetch me something salty", ("find a rice chips", "pick up the rice chips", "bring it to you", "put down the rice chips", "done")),
    ("move the 7up to the table", ("find a 7up", "pick up the 7up", "go to the table", "put down the 7up", "done")),
    ("I spilled something, can you help", ("find a sponge", "pick up the sponge", "bring it to you", "done")),
)  # fmt: skip
INSTRUCTIONS = ("bring me the coke can", "put the orange on the counter", "I would like some jalapeno chips", "throw away the energy bar")
INTRODUCTION = (
    "Robot: Hi there, I'm a robot operating in a kitchen. You can ask me to do various tasks and I'll tell you the sequence of actions I "
    "would do to accomplish your task.\n"
)
BARS = {"ratio_naive": (">=", 25.0), "ratio_cached_padded": (">=", 2.0), "max_abs_logp_difference": ("<=", 1e-4)}


def turn(instruction: str, steps: tuple[str, ...]) -> str:
    """One exchange; the last line waits for the next step where the steps do not end with done."""
    lines = "".join(f"{number}. {step}\n" for number, step in enumerate(steps, start=1))
    return f"Human: {instruction}.\nRobot: {lines}" + ("" if steps[-1:] == ("done",) else f"{len(steps) + 1}. ")


class Peers:
    """The other two ways, on the same model, tokenizer and threads."""

    def __init__(self, scorer: TransformersScorer, batch: int) -> None:
        self.scorer, self.model, self.batch = scorer, scorer.model, batch

    def naive(self, context: str) -> list[float]:
        texts, start = self.scorer.tokenise(context, PHRASES, "\n")
        got: list[float] = []
        for first in range(0, len(texts), self.batch):
            got += map(sum, self.scorer.score_batch(texts[first : first + self.batch], start))
        return got

    def cached_padded(self, context: str) -> Callable[[], list[float]]:
        """Runs the prompt now; the returned function scores."""
        import torch
        from transformers import DynamicCache

        texts, start = self.scorer.tokenise(context, PHRASES, "\n")
        tails = [text[start:] for text in texts]
        longest = max(map(len, tails))
        ids = torch.tensor([tail + [0] * (longest - len(tail)) for tail in tails])
        real = torch.tensor([[True] * len(tail) + [False] * (longest - len(tail)) for tail in tails])
        mask = torch.cat([torch.ones(len(tails), start, dtype=torch.long), real.long()], dim=1)
        with torch.inference_mode():
            whole = torch.tensor([texts[0][:start]])
            prompt = self.model(input_ids=whole, use_cache=True, logits_to_keep=1, past_key_values=DynamicCache())
        kept = [(layer.keys, layer.values) for layer in prompt.past_key_values.layers]

        def score() -> list[float]:
            with torch.inference_mode():
                cache = DynamicCache([(k.expand(len(tails), -1, -1, -1), v.expand(len(tails), -1, -1, -1)) for k, v in kept])
                after = self.model(input_ids=ids, attention_mask=mask, past_key_values=cache).logits
                first = torch.log_softmax(prompt.logits[0, -1].float(), -1)[ids[:, 0]]
                later = torch.log_softmax(after[:, :-1].float(), -1).gather(2, ids[:, 1:, None])[..., 0]
                return (first.double() + (later * real[:, 1:]).double().sum(1)).tolist()

        return score


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def difference(one: list[float], other: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def repeat(scorer: TransformersScorer, peers: Peers, base: str, instruction: str, naive: bool) -> dict[str, float]:
    """One decision of a new instruction in every way; its further step in ours."""
    context = base + turn(instruction, ())
    row: dict[str, float] = {}
    scorer.warm(base)
    before = scorer.tokens_forwarded
    seconds, ours = timed(lambda: scorer.score(context, PHRASES))
    row |= {"decision_ms": seconds * 1e3, "tokens_forwarded": scorer.tokens_forwarded - before}
    before = scorer.tokens_forwarded
    seconds, again = timed(lambda: scorer.score(context, PHRASES))
    row["ours_cached_ms"] = seconds * 1e3
    of_phrases = scorer.tokens_forwarded - before - 1
    seconds, padded = timed(peers.cached_padded(context))
    row |= {"cached_padded_ms": seconds * 1e3, "padded_difference": difference(ours, padded)}
    before = scorer.tokens_forwarded
    seconds, best = timed(lambda: best_of(scorer, context, PHRASES, [0.0] * len(PHRASES)))
    row |= {"best_only_ms": seconds * 1e3, "best_only_tokens_forwarded": scorer.tokens_forwarded - before}
    choice = max(range(len(ours)), key=ours.__getitem__)
    if best.index != choice:
        raise SystemExit("the search and the scores disagree about the best candidate")
    if naive:
        seconds, full = timed(lambda: peers.naive(context))
        row |= {"naive_ms": seconds * 1e3, "difference": max(difference(ours, full), difference(again, full))}
    further = base + turn(instruction, (PHRASES[choice],))
    before = scorer.tokens_forwarded
    scorer.score(further, PHRASES)
    row["further_step_prefix_tokens_forwarded"] = scorer.tokens_forwarded - before - of_phrases
    first, second = (scorer.tokenise(text, PHRASES, "\n")[1] for text in (context, further))
    row["further_step_new_tokens"] = second - first
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lm", default="gemma3-270m")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--naive-repeats", type=int, default=2, help="the naive way takes the better part of a minute")
    parser.add_argument("--batch", type=int, default=16, help="candidates in one batch of the naive way")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    scorer = TransformersScorer.from_pretrained(arguments.lm, threads=arguments.threads)
    peers = Peers(scorer, arguments.batch)
    base = INTRODUCTION + "".join(turn(*example) for example in EXAMPLES)
    cold_s, _ = timed(lambda: scorer.warm(base))
    rows = []
    for number in track(range(arguments.repeats), description="repeats"):
        instruction = INSTRUCTIONS[number % len(INSTRUCTIONS)]
        rows.append(repeat(scorer, peers, base, instruction, naive=number < arguments.naive_repeats))

    def median(name: str, over: str = "") -> float:
        return statistics.median(row[name] / (row[over] if over else 1.0) for row in rows if name in row)

    context = base + turn(INSTRUCTIONS[0], ())
    figures: dict[str, Any] = {
        "candidates": len(PHRASES), "prompt_tokens": scorer.tokenise(context, PHRASES, "\n")[1], "threads": arguments.threads,
        "repeats": arguments.repeats, "naive_repeats": min(arguments.repeats, arguments.naive_repeats),
        "ratio_naive": median("naive_ms", "decision_ms"),
        "ratio_cached_padded": median("cached_padded_ms", "ours_cached_ms"),
        "max_abs_logp_difference": max(row["difference"] for row in rows if "difference" in row),
        "max_abs_logp_difference_cached_padded": max(row["padded_difference"] for row in rows),
        "examples_once_ms": cold_s * 1e3,
    }  # fmt: skip
    measured = ("decision_ms", "best_only_ms", "naive_ms", "cached_padded_ms", "ours_cached_ms", "tokens_forwarded")
    counted = ("best_only_tokens_forwarded", "further_step_prefix_tokens_forwarded", "further_step_new_tokens")
    figures |= {name: median(name) for name in (*measured, *counted)}
    show("planner scoring", figures, arguments.json, BARS)


if __name__ == "__main__":
    main()
