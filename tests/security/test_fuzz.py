"""A bounded share of `make fuzz`: every decoder, with the plain mutator."""

from __future__ import annotations

import json
import logging
import tracemalloc
from collections.abc import Iterator

import pytest

from benchmarks import fuzz, fuzz_files, fuzz_targets
from seesay.errors import WireError

DEEP, LONG = b"[" * 5000, b"9" * 400
ANSWER, SKILLS = json.dumps(fuzz_files.ANSWER).encode(), fuzz_files.SKILLS
FOUND = [
    ("parameters", b'threshold="\\ud800"'), ("parameters", b"model=" + DEEP),
    ("answer", DEEP), ("answer", ANSWER.replace(b"-0.5", b"-" + LONG)), ("answer", ANSWER.replace(b"-0.5", b'"\\ud800"')),
    ("plan", DEEP), ("words", b"\xff" + DEEP), ("launch", b"a = " + 20 * LONG), ("keys", b"a = " + 20 * LONG),
    ("skills", b"a = " + DEEP), ("skills", b"name = 0x" + b"f" * 5000), ("skills", SKILLS.replace(b"0.9", LONG)),
    ("skills", SKILLS.replace(b"[-1, -1, 1, 1]", b"[-1, -1, 1, " + LONG + b"]")),
    ("skills", SKILLS.replace(b'"blocks" }', b"[] }")), ("skills", SKILLS.replace(b"{block}", b"{block")),
    ("calibration", b"\0[front]\na = " + DEEP), ("calibration", b"\1" + DEEP), ("calibration", b"\2" + DEEP), ("calibration", b"\3" + DEEP),
    ("calibration", b'\1{"default": [1, %s], "prompts": {}}' % LONG),
    ("recording", fuzz_targets.examples("recording")[2].replace(bytes(16), b"\xff" * 16, 1)),
]  # fmt: skip

# what a valid input may need; others: four times their size and 1 MB
LARGEST = {"masks": 2 << 27, "picture": 8 << 20, "calibration": 4 << 20, "repair": 4 << 20, "skills": 4 << 20}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is said of each refused input is not kept."""
    log = logging.getLogger("seesay")
    level = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_a_decoder_refuses_or_takes_what_it_is_given_within_its_memory(name: str) -> None:
    fuzz.plain(name, 50, seed=2)
    tracemalloc.start()
    counted = fuzz.plain(name, 700, seed=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counted["inputs"] == 700
    assert 0 < counted["refused"] < 700
    assert peak < LARGEST.get(name, 4 * fuzz.MAX_INPUT + (1 << 20))


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_every_example_is_valid(name: str) -> None:
    counter = fuzz.Counter(fuzz_targets.target(name))
    for data in fuzz_targets.examples(name):
        counter(data)
    assert (counter.inputs > 0, counter.refused) == (True, 0)


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_found_stays_mended(name: str, data: bytes) -> None:
    counter = fuzz.Counter(fuzz_targets.target(name))
    counter(data)
    assert counter.refused == 1


def test_only_declared_errors_are_expected() -> None:
    def raises(error: Exception) -> fuzz.Counter:
        def target(_: bytes) -> None:
            raise error

        return fuzz.Counter(target)

    raises(WireError("declared"))(b"")
    with pytest.raises(IndexError):
        raises(IndexError("not declared"))(b"")
