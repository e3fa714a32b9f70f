"""Train the embedded checkpoints: resumable, by seed, with a progress bar.

The state (weights, their running average, optimisers, step) is written every few minutes and on Ctrl-C; the same command goes on from it.
The learning rate warms up, stays, and falls over the last `--cooldown` share of `--steps`, so that more steps can be added later.
With `--processes 2` two processes of one thread each share every batch and average their gradients: faster than two threads.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from torch.multiprocessing.spawn import spawn

from seesay.perception.training.trainer import work


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
    parser.add_argument("--processes", type=int, default=2, help="each with one thread and its share of the batch")
    parser.add_argument("--every", type=int, default=500, help="steps between two looks")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "meeting").unlink(missing_ok=True)
    start: Any = spawn
    start(work, (arguments,), nprocs=arguments.processes)


if __name__ == "__main__":
    main()
