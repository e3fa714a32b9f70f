"""Shared-memory slots: what a reader accepts, what it sees, and what it cannot do to a writer."""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seesay._ring import AVAILABLE, MAX_SLOT_BYTES, RingReader, RingWriter
from seesay.codec import Ref
from seesay.errors import BusError, WireError

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs Linux on x86-64")


@pytest.fixture
def writer() -> Iterator[RingWriter]:
    ring = RingWriter(4, 100_000)
    yield ring
    ring.close()


def read(writer: RingWriter) -> RingReader:
    return RingReader(writer.describe(), writer.descriptor)


def write(writer: RingWriter, *parts: bytes) -> Ref:
    slot = writer.reserve()
    assert slot is not None
    return slot.fill(parts)


def test_what_is_written_is_read(writer: RingWriter) -> None:
    reader, parts = read(writer), [bytes(range(256)) * 300, b"", b"abc"]
    place = reader.find(write(writer, *parts))
    copies, views = place.copy(), place.parts()
    assert copies is not None
    assert [bytes(part) for part in copies] == [bytes(part) for part in views] == parts
    assert not copies[0].readonly
    assert views[0].readonly
    assert place.intact()


def test_a_slot_that_is_written_over_is_noticed(writer: RingWriter) -> None:
    reader = read(writer)
    place = reader.find(write(writer, b"a" * 1000))
    for _ in range(3):
        write(writer, b"b" * 1000)
        assert place.intact()
    slot = writer.reserve()
    assert slot is not None
    assert not place.intact()
    assert place.copy() is None
    slot.discard()
    assert not place.intact()


def test_as_many_loans_as_slots_and_none_twice(writer: RingWriter) -> None:
    slots = [writer.reserve() for _ in range(4)]
    assert sorted(slot.index for slot in slots if slot is not None) == [0, 1, 2, 3]
    assert writer.reserve() is None
    assert slots[2] is not None
    slots[2].discard()
    again = writer.reserve()
    assert again is not None
    assert again.index == 2


def test_a_reader_cannot_write_shrink_or_grow(writer: RingWriter) -> None:
    reader = read(writer)
    with pytest.raises(PermissionError):
        mmap.mmap(writer.descriptor, 4096)
    for size in (4096, 10 << 20):
        with pytest.raises(PermissionError):
            os.ftruncate(writer.descriptor, size)
    with pytest.raises(PermissionError):
        os.write(writer.descriptor, b"x")
    with pytest.raises(TypeError):
        reader.cut(0, 10)[0] = 1
    with pytest.raises(PermissionError):
        fcntl.fcntl(writer.descriptor, 1033, 0x0008)


def test_memory_outlives_the_writer(writer: RingWriter) -> None:
    ring = RingWriter(2, 5000)
    place = RingReader(ring.describe(), ring.descriptor).find(write(ring, b"x" * 5000))
    ring.close()
    del ring
    copies = place.copy()
    assert copies is not None
    assert bytes(copies[0]) == b"x" * 5000


@pytest.mark.parametrize(("slots", "size"), [(0, 100), (65, 100), (4, 0), (4, MAX_SLOT_BYTES + 1)])
def test_impossible_rings_are_refused(slots: int, size: int) -> None:
    with pytest.raises(BusError, match="expected at most"):
        RingWriter(slots, size)


def test_memory_that_is_not_sealed_or_of_another_size_is_refused(writer: RingWriter) -> None:
    size = 4096 + 4 * writer.slot_bytes
    for actual in (size, size - 1):
        descriptor = os.memfd_create("unsealed")
        try:
            os.ftruncate(descriptor, actual)
            with pytest.raises(WireError):
                RingReader(writer.describe(), descriptor)
        finally:
            os.close(descriptor)
    with pytest.raises(WireError, match="sealed memory"):
        RingReader(struct.pack("<QIQ", 1, 3, writer.slot_bytes), writer.descriptor)


@given(st.binary(max_size=200))
def test_any_description_is_a_ring_or_refused(description: bytes) -> None:
    ring = RingWriter(1, 4096)
    try:
        with pytest.raises(WireError):
            RingReader(description, ring.descriptor)
    finally:
        ring.close()


numbers = st.integers(0, 2**64 - 1) | st.integers(0, 10) | st.sampled_from([102_399, 102_400, 102_401])


@settings(max_examples=300, deadline=None)
@given(numbers, numbers, st.integers(0, 2**32 - 1) | st.integers(0, 5), st.lists(numbers, min_size=1, max_size=6), st.booleans())
def test_hostile_references_reach_no_memory_outside_the_slot(ring: int, generation: int, slot: int, sizes: list[int], own: bool) -> None:
    reader = _hostile_reader()
    try:
        place = reader.find(Ref(reader.id if own else ring, generation, slot, tuple(sizes)))
    except WireError:
        return
    assert own
    assert slot < 4
    assert sum(sizes) <= 102_400
    assert [len(part) for part in place.parts()] == sizes
    assert place.copy() is None


_hostile: list[RingReader] = []


def _hostile_reader() -> RingReader:
    if not _hostile:
        ring = RingWriter(4, 100_000)
        _hostile.append(RingReader(ring.describe(), ring.descriptor))
        ring.close()
    return _hostile[0]


def test_a_copy_is_the_readers_own(writer: RingWriter) -> None:
    place = read(writer).find(write(writer, bytes(1000)))
    copies = place.copy()
    assert copies is not None
    copies[0][0] = 7
    assert place.parts()[0][0] == 0
    assert np.frombuffer(copies[0], np.uint8).flags.writeable
