"""A bounded share of `make fuzz`: every decoder, with the plain mutator."""

from __future__ import annotations

import tracemalloc

import pytest

from benchmarks import fuzz, fuzz_targets
from seesay.errors import WireError

LARGEST = {"masks": 2 << 28, "picture": 8 << 20}  # what a valid input may need; others: four times their size and 1 MB


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


def test_only_declared_errors_are_expected() -> None:
    def raises(error: Exception) -> fuzz.Counter:
        def target(_: bytes) -> None:
            raise error

        return fuzz.Counter(target)

    raises(WireError("declared"))(b"")
    with pytest.raises(IndexError):
        raises(IndexError("not declared"))(b"")
