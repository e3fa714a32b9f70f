"""Train the embedded checkpoints: resumable, by seed, with a progress bar.

The state (weights, their running average, optimisers, step) is written every few minutes and on Ctrl-C; the same command goes on from it.
The learning rate warms up, stays, and falls over the last `--cooldown` share of `--steps`, so that more steps can be added later.
"""

from __future__ import annotations

import argparse
import copy
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from seesay.perception.training.data import Batch, Shards, batches
from seesay.perception.training.evaluate import evaluate
from seesay.perception.training.losses import Weights, total
from seesay.perception.training.model import IMAGE, Student, export, normalise
from seesay.perception.training.vocabulary import LENGTH, PAIRS, make_tokenizer, sample_prompts

MUON_RATE, ADAM_RATE = 1e-3, 7e-4
WARM_UP = 300
AVERAGE = 0.998


def rate(step: int, steps: int, cooldown: float) -> float:
    """Share of the full learning rate at a step."""
    fall = max(1, int(steps * cooldown))
    return min(1.0, (step + 1) / WARM_UP, max(0.01, (steps - step) / fall))


def optimisers(student: Student) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the transformer layers, AdamW for all else."""
    inner: list[torch.nn.Parameter] = []
    outer: list[torch.nn.Parameter] = []
    for name, value in student.named_parameters():
        (inner if value.ndim == 2 and ".layers." in name else outer).append(value)
    return [
        torch.optim.Muon(inner, lr=MUON_RATE, weight_decay=0.05, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(outer, lr=ADAM_RATE, weight_decay=0.02, betas=(0.9, 0.98)),
    ]


class Trainer:
    """The student, its running average, and what is needed to go on after a kill."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        torch.manual_seed(arguments.seed)
        self.arguments = arguments
        self.tokenizer = make_tokenizer()
        self.student = Student(len(self.tokenizer))
        self.average = copy.deepcopy(self.student)
        self.optimisers = optimisers(self.student)
        self.step = 0
        self.exclude = frozenset(_held_out()) if arguments.hold_out else frozenset()
        self.path = arguments.out / "state.pt"
        if self.path.exists():
            state = torch.load(self.path, weights_only=True)
        elif arguments.start:
            state = torch.load(arguments.start, weights_only=True) | {"step": 0}
        else:
            return
        self.student.load_state_dict(state["student"])
        self.average.load_state_dict(state["average"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step = state["step"]

    def save(self) -> None:
        state = {
            "student": self.student.state_dict(), "average": self.average.state_dict(), "step": self.step,
            "optimisers": [o.state_dict() for o in self.optimisers],
        }  # fmt: skip
        temporary = self.path.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.rename(self.path)

    def tokens(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        coded = self.tokenizer(texts, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")
        return coded["input_ids"], coded["attention_mask"]

    def train_step(self, batch: Batch, weights: Weights) -> dict[str, float]:
        rng = np.random.default_rng([self.arguments.seed, 9, self.step])
        texts, meaning = sample_prompts(rng, self.exclude)
        targets: dict[str, Any] = {
            name: torch.from_numpy(getattr(batch, name)) for name in ("token_object", "primary", "fine", "boxes", "pairs", "counts")
        }
        targets |= _mask_targets(rng, batch, meaning)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.arguments.bf16):
            text = self.student.encode_text(*self.tokens(texts))
            pixels, matches = normalise(torch.from_numpy(batch.pixels)), torch.from_numpy(meaning.T.copy())
            loss, terms = total(self.student, pixels, text, matches, targets, weights)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        share = rate(self.step, self.arguments.steps, self.arguments.cooldown)
        for optimiser, full in zip(self.optimisers, (MUON_RATE, ADAM_RATE), strict=True):
            for group in optimiser.param_groups:
                group["lr"] = full * share * self.arguments.rate
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        keep = min(AVERAGE, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.student.parameters(), strict=True):
                mean.lerp_(value, 1 - keep)
        self.step += 1
        return terms | {"loss": float(loss.detach())}

    @torch.no_grad()
    def evaluate(self, shards: Shards) -> dict[str, float]:
        ids, mask = self.tokens([f"a {colour} {shape}" for colour, shape in PAIRS])
        return evaluate(self.average, self.average.encode_text(ids, mask), shards)

    def export(self, figures: dict[str, float]) -> None:
        export(self.average, self.tokenizer, self.arguments.out, round(max(0.05, figures["threshold_at_2_percent"]), 3), 0.5)


def _held_out() -> set[tuple[str, str]]:
    from seesay.perception.training import vocabulary

    return set(vocabulary.HELD_OUT)


def _mask_targets(rng: np.random.Generator, batch: Batch, meaning: np.ndarray) -> dict[str, Tensor]:
    """For the first third of the pictures one prompt each, four in five of them about something in the picture, and its mask."""
    number = max(1, len(batch.pixels) // 3)
    ends = [*batch.first[1:], len(batch.pairs)]
    prompts, masks = [], []
    for b in range(number):
        pairs = batch.pairs[batch.first[b] : ends[b]]
        if len(pairs) and rng.random() < 0.8:
            fitting = np.flatnonzero(meaning[:, rng.choice(pairs)])
            prompt = int(rng.choice(fitting)) if len(fitting) else int(rng.integers(len(meaning)))
        else:
            prompt = int(rng.integers(len(meaning)))
        rows = [k + 1 for k, pair in enumerate(pairs) if meaning[prompt, pair]]
        prompts.append(prompt)
        masks.append(np.isin(batch.labels[b], rows))
    return {"mask_prompt": torch.tensor(prompts), "mask": torch.from_numpy(np.stack(masks)).float()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="folders of shards from seesay.sim.dataset")
    parser.add_argument("--check", type=Path, required=True, help="folder of shards to look at during training")
    parser.add_argument("--out", type=Path, required=True, help="folder of the training state, outside the checkout")
    parser.add_argument("--start", type=Path, help="state.pt to start from when --out has none")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--close-steps", type=int, default=1000, help="steps at 160 px, close to the objects")
    parser.add_argument("--small-steps", type=int, default=4000, help="the step from which on pictures have 256 px instead of 192")
    parser.add_argument("--dense-steps", type=int, default=6000, help="steps in which every covered patch is a positive")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--cooldown", type=float, default=0.25)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hold-out", action="store_true")
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--every", type=int, default=500, help="steps between two looks")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    run(Trainer(arguments), arguments)


def run(trainer: Trainer, arguments: argparse.Namespace) -> None:
    check = Shards([arguments.check])
    stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda n, _: stop.append(n))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    log = (arguments.out / "log.jsonl").open("a")
    saved = time.monotonic()
    with Progress(*columns) as progress:
        bar = progress.add_task("training", total=arguments.steps, completed=trainer.step)
        size = 0
        source: Iterator[Batch] = iter(())
        while trainer.step < arguments.steps and not stop:
            wanted = 160 if trainer.step < arguments.close_steps else 192 if trainer.step < arguments.small_steps else IMAGE
            if wanted != size:
                size = wanted
                source = batches(arguments.data, size, arguments.batch, arguments.seed, trainer.step)
                if trainer.step == 0 and not arguments.start:
                    trainer.student.whiten(normalise(torch.cat([torch.from_numpy(next(source).pixels) for _ in range(8)])))
            weights = Weights(inside=0.25 if trainer.step < arguments.dense_steps else 0.0)
            terms = trainer.train_step(next(source), weights)
            progress.update(bar, completed=trainer.step, description=f"loss {terms['loss']:.2f}")
            if trainer.step % 50 == 0:
                log.write(json.dumps({"step": trainer.step, "time": time.time(), **{k: round(v, 4) for k, v in terms.items()}}) + "\n")
                log.flush()
            if trainer.step % arguments.every == 0 or trainer.step == arguments.steps:
                figures = trainer.evaluate(check)
                log.write(json.dumps({"step": trainer.step, "time": time.time(), **figures}) + "\n")
                log.flush()
                trainer.export(figures)
            if time.monotonic() - saved > 180:
                trainer.save()
                saved = time.monotonic()
    trainer.save()
    log.close()


if __name__ == "__main__":
    main()
