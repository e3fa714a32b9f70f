"""Training itself: the student, its running average, one or more processes, and what is needed to go on after a kill."""

from __future__ import annotations

import argparse
import copy
import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from seesay.perception.training.data import Batch, Shards, Stream, batches
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
        if self.arguments.processes > 1:
            self.average_gradients()
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

    def whiten(self, source: Iterator[Batch]) -> None:
        """Start the first layer from the pictures of the first batches, in all processes alike."""
        self.student.whiten(normalise(torch.cat([torch.from_numpy(next(source).pixels) for _ in range(16)])))
        if self.arguments.processes > 1:
            torch.distributed.broadcast(self.student.owl.owlvit.vision_model.embeddings.patch_embedding.weight.detach(), 0)

    def average_gradients(self) -> None:
        gradients = [value.grad for value in self.student.parameters() if value.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        torch.distributed.all_reduce(flat)
        flat /= self.arguments.processes
        for gradient, part in zip(gradients, torch.split(flat, [gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

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


def work(rank: int, arguments: argparse.Namespace) -> None:
    """One of the processes; the first one evaluates, saves and shows the progress."""
    torch.set_num_threads(1)
    if arguments.processes > 1:
        meeting = f"file://{(arguments.out / 'meeting').resolve()}"
        torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=arguments.processes)
    run(Trainer(arguments), arguments, rank)


def run(trainer: Trainer, arguments: argparse.Namespace, rank: int) -> None:
    check = Shards([arguments.check])
    stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda n, _: stop.append(n))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    log = (arguments.out / "log.jsonl").open("a")
    saved = time.monotonic()
    with Progress(*columns, disable=rank > 0) as progress:
        bar = progress.add_task("training", total=arguments.steps, completed=trainer.step)
        size = 0
        source: Iterator[Batch] = iter(())
        while trainer.step < arguments.steps and not together(stop, arguments.processes):
            wanted = 160 if trainer.step < arguments.close_steps else 192 if trainer.step < arguments.small_steps else IMAGE
            if wanted != size:
                size = wanted
                part = arguments.batch // arguments.processes
                source = batches(Stream(arguments.data, size, part, arguments.seed, trainer.step, rank, arguments.processes))
                if trainer.step == 0 and not arguments.start:
                    trainer.whiten(source)
            weights = Weights(inside=0.25 if trainer.step < arguments.dense_steps else 0.0)
            terms = trainer.train_step(next(source), weights)
            if rank > 0:
                continue
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
    if rank == 0:
        trainer.save()
    log.close()


def together(stop: list[int], processes: int) -> bool:
    """Whether any of the processes was asked to stop."""
    flag = torch.tensor(float(bool(stop)))
    if processes > 1:
        torch.distributed.all_reduce(flag)
    return bool(flag > 0)
