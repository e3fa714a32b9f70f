"""Mutated inputs for every decoder of what comes from outside: nothing but declared errors, no allocation beyond the bound.

    python -m benchmarks.fuzz --json                          # a million inputs, `make fuzz`
    python -m benchmarks.fuzz --targets codec --inputs 50000

Each target runs in a process of its own, whose address space may grow by 768 MiB at most. Atheris (libFuzzer with the coverage of
our Python code) makes the inputs if it is installed, else a plain mutator does; both start from valid examples.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common import show

TARGETS = [
    "codec", "fields", "envelope", "terms", "ring", "call", "link", "greeting", "picture", "masks", "prompts", "parameters", "answer",
    "launch", "words", "instruction", "skills", "calibration", "keys", "pair", "recording", "repair", "remembered", "plan", "picture_file",
]  # fmt: skip
ALLOWANCE = 768 << 20
MAX_INPUT = 1 << 14
EXTREMES = [b"\xff" * 8, bytes(8), b"\x7f" + b"\xff" * 7, b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"]  # the last two: msgpack lengths
WORDS = [
    b"0", b"-1", b"1e999", b"-1e999", b"nan", b"NaN", b"inf", b"Infinity", b"9" * 400, b"9" * 5000, b"0x" + b"f" * 5000, b"1e308",
    b"null", b"true", b'"x"', b'""', b"[]", b"{}", b"[1]", b'{"a": 1}', b"[" * 3000, b'{"a":' * 1500, b"x",
    b"\\ud800", b'"\\ud800"', b"1979-05-27", b"{a = 1}",
]  # fmt: skip
_WORD = re.compile(rb'"[^"\n]*"|[\w.+-]+')


def mutate(chance: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """One to four small changes: a byte, a cut, a repetition, an insertion, an extreme number or word, a piece of another example."""
    work = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at, to = sorted(chance.randint(0, len(work)) for _ in range(2))
        kind = chance.randrange(7)
        if kind == 0 and work:
            work[min(at, len(work) - 1)] = chance.randrange(256)
        elif kind == 1:
            del work[at:to]
        elif kind == 2:
            work[at:at] = work[at:to][:256] * chance.randint(1, 8)
        elif kind == 3:
            work[at:at] = chance.randbytes(chance.randint(1, 16))
        elif kind == 4:
            work[at : at + 8] = chance.choice(EXTREMES)
        elif kind == 5 and (word := chance.choice([*_WORD.finditer(work, at), None])):
            work[slice(*word.span())] = chance.choice(WORDS)
        else:
            other = chance.choice(others)
            begin = chance.randint(0, len(other))
            work[at:to] = other[begin : begin + to - at]
    return bytes(work[:MAX_INPUT])


class Counter:
    """Calls a target, and counts what it takes and what it refuses; any error that is not declared goes on to the caller."""

    def __init__(self, target: Callable[[bytes], object]) -> None:
        from seesay.errors import SeeSayError

        self._target, self._declared = target, SeeSayError
        self.inputs = self.refused = 0
        self.slowest_s = 0.0

    def __call__(self, data: bytes) -> None:
        self.inputs += 1
        begin = time.thread_time()
        try:
            self._target(data)
        except self._declared as error:
            str(error).encode()  # a sentence that can be sent and logged
            self.refused += 1
        self.slowest_s = max(self.slowest_s, time.thread_time() - begin)

    def figures(self) -> dict[str, float]:
        """What was counted; `slowest_ms` is of processor time."""
        return {"inputs": self.inputs, "refused": self.refused, "slowest_ms": 1000 * self.slowest_s}


def plain(name: str, inputs: int, seed: int) -> dict[str, float]:
    """Run a target in this process on inputs of the plain mutator."""
    from benchmarks.fuzz_targets import examples, target

    chance, seeds, counter = random.Random(seed), examples(name), Counter(target(name))
    for _ in range(inputs):
        data = mutate(chance, chance.choice(seeds), seeds)
        try:
            counter(data)
        except BaseException:
            print(f"input: {data!r}", file=sys.stderr)
            raise
    return counter.figures()


def guided(name: str, inputs: int, seed: int, result: Path) -> None:
    """Run a target under atheris, which ends this process."""
    import atheris

    with atheris.instrument_imports(include=["seesay"], enable_loader_override=False):
        from benchmarks.fuzz_targets import examples, target
    counter = Counter(target(name))

    def one(data: bytes) -> None:
        counter(data)
        if counter.inputs == inputs:
            result.write_text(json.dumps(counter.figures()))
            os._exit(0)

    corpus = result.parent / "corpus"
    corpus.mkdir()
    for number, data in enumerate(examples(name)):
        (corpus / str(number)).write_bytes(data)
    _limit_memory()
    chance, seeds = random.Random(seed), examples(name)

    def change(data: bytes, size: int, _: int) -> bytes:
        return mutate(chance, data, seeds)[:size] if chance.random() < 0.5 else atheris.Mutate(data, size)

    options = [f"-seed={seed + 1}", f"-max_len={MAX_INPUT}", f"-artifact_prefix={result.parent}/", "-print_final_stats=0", "-verbosity=0"]
    atheris.Setup(["fuzz", *options, "-rss_limit_mb=0", "-timeout=20", str(corpus)], one, custom_mutator=change)
    atheris.Fuzz()


def _limit_memory() -> None:
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + ALLOWANCE, size + ALLOWANCE))


def run(name: str, inputs: int, seed: int, engine: str) -> dict[str, Any]:
    """Run a target in a process of its own; a failure comes with the end of what it said."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        words = ["--child", str(result), "--targets", name, "--inputs", str(inputs), "--seed", str(seed), "--engine", engine]
        begin = time.monotonic()
        program = [sys.executable, "-m", "benchmarks.fuzz", *words]
        environment = os.environ | {"TMPDIR": folder}
        done = subprocess.run(program, capture_output=True, text=True, errors="replace", check=False, env=environment)
        found = {"inputs": 0, "refused": 0, "slowest_ms": 0.0}
        if done.returncode == 0 and result.exists():
            found = json.loads(result.read_text())
        failure = "" if done.returncode == 0 and found["inputs"] == inputs else f"exit {done.returncode}: {done.stderr[-3000:]}"
    return {**found, "seconds": round(time.monotonic() - begin, 1), "failure": failure}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="in total, shared out equally")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=["atheris", "plain"], default="atheris" if importlib.util.find_spec("atheris") else "plain")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.getLogger("seesay").setLevel(logging.CRITICAL)
    if options.child and options.engine == "atheris":
        guided(options.targets[0], options.inputs, options.seed, Path(options.child))
    elif options.child:
        _limit_memory()
        Path(options.child).write_text(json.dumps(plain(options.targets[0], options.inputs, options.seed)))
    else:
        share = -(-options.inputs // len(options.targets))
        rows = {name: run(name, share, options.seed, options.engine) for name in options.targets}
        failures = {name: row["failure"] for name, row in rows.items() if row["failure"]}
        for name, failure in failures.items():
            print(f"{name}: {failure}", file=sys.stderr)
        total = sum(row["inputs"] for row in rows.values())
        counts = {f"{name}_refused": row["refused"] / max(1, row["inputs"]) for name, row in rows.items()}
        slowest = max(row["slowest_ms"] for row in rows.values())
        figures = {"fuzz_engine": options.engine, "fuzz_inputs": total, "fuzz_failures": len(failures), "fuzz_slowest_ms": slowest}
        bars = {"fuzz_inputs": (">=", float(options.inputs)), "fuzz_failures": ("<=", 0.0), "fuzz_slowest_ms": ("<=", 2000.0)}
        show("Fuzzing of every decoder", {**figures, **counts, "targets": rows}, options.json, bars)
        sys.exit(bool(failures))


if __name__ == "__main__":
    main()
