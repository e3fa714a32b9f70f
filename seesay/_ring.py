"""Shared-memory slots for pixels: one writer, readers that can neither block nor harm it.

A ring is a sealed memfd: its size cannot change (so nobody can be hit by SIGBUS) and nobody else can map it for writing. It has no name
in any file system, so nothing is left when its last process dies. The first page holds one generation counter per slot, odd while the
slot is written; a reader compares it with the one that the message's header carried, before and after it reads. That needs stores to be
seen in order, as on x86-64; on other processors a reader might trust a torn picture, so no rings are made there.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import platform
import struct
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seesay.codec import Part, Ref
from seesay.errors import BusError, WireError

AVAILABLE = sys.platform == "linux" and platform.machine() in ("x86_64", "AMD64")
MAX_SLOT_BYTES = 256 << 20
MAX_SLOTS = 64

_PAGE = 4096
_ALIGN = 64
_SEALS = 0x0001 | 0x0002 | 0x0004 | 0x0010   # F_SEAL_SEAL, SHRINK, GROW, FUTURE_WRITE (linux/fcntl.h; not all are in Python's fcntl)
_ADD_SEALS, _GET_SEALS = 1033, 1034
_POPULATE = 0x8000
_RING = struct.Struct("<QIQ")


def offsets(sizes: Sequence[int]) -> tuple[list[int], int]:
    """Return where buffers of these sizes begin in a slot, and how many bytes they take together."""
    if len(sizes) == 1:
        return [0], sizes[0]
    starts, end = [], 0
    for size in sizes:
        starts.append(end)
        end += -(-size // _ALIGN) * _ALIGN
    return starts, end


class Slot:
    """A slot that is being written. Each must be ended once, by `commit` or `discard`."""

    __slots__ = ("_ring", "index", "pixels")

    def __init__(self, ring: RingWriter, index: int) -> None:
        self._ring = ring
        self.index = index
        self.pixels = ring.pixels[index]

    def fill(self, parts: Sequence[Part]) -> Ref:
        """Copy the buffers in and commit."""
        sizes = [len(part) for part in parts]
        for start, part in zip(offsets(sizes)[0], parts, strict=True):
            np.copyto(self.pixels[start : start + len(part)], np.frombuffer(part, np.uint8))
        return self.commit(sizes)

    def commit(self, sizes: Sequence[int]) -> Ref:
        """End the writing and return what readers need."""
        return Ref(self._ring.id, self._ring.end(self.index), self.index, tuple(sizes))

    def discard(self) -> None:
        """End the writing of what nobody shall read."""
        self._ring.end(self.index)


class RingWriter:
    """The slots of one publisher, all in memory from the start. Not for several threads; slots may be filled by any."""

    def __init__(self, slots: int, slot_bytes: int) -> None:
        """Raises BusError if the system has no such memory, or not enough."""
        if not AVAILABLE:
            raise BusError("shared memory: expected Linux on x86-64")
        if not 1 <= slots <= MAX_SLOTS or not 1 <= slot_bytes <= MAX_SLOT_BYTES:
            raise BusError(f"shared memory: expected at most {MAX_SLOTS} slots of {MAX_SLOT_BYTES} bytes, got {slots} of {slot_bytes}")
        self.id = int.from_bytes(os.urandom(8), "little") >> 1
        self.slots = slots
        self.slot_bytes = -(-slot_bytes // _PAGE) * _PAGE
        self._next = 0
        self._busy: set[int] = set()
        size = _PAGE + slots * self.slot_bytes
        try:
            self.descriptor = os.memfd_create("seesay-ring", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            os.posix_fallocate(self.descriptor, 0, size)
            self._map = mmap.mmap(self.descriptor, size, flags=mmap.MAP_SHARED | _POPULATE)
            fcntl.fcntl(self.descriptor, _ADD_SEALS, _SEALS)
        except OSError as error:
            raise BusError(f"shared memory of {size} bytes: {error.strerror}") from error
        self._generations = memoryview(self._map)[:_PAGE].cast("Q")
        self.pixels = [np.frombuffer(self._map, np.uint8, self.slot_bytes, _PAGE + slot * self.slot_bytes) for slot in range(slots)]

    def reserve(self) -> Slot | None:
        """Return the slot that was written longest ago, marked as being written; None if all are."""
        for _ in range(self.slots):
            index, self._next = self._next, (self._next + 1) % self.slots
            if index not in self._busy:
                self._busy.add(index)
                self._generations[index] += 1
                return Slot(self, index)
        return None

    def end(self, index: int) -> int:
        """Mark a slot as written and return its generation."""
        self._generations[index] += 1
        self._busy.discard(index)
        return self._generations[index]

    def holds(self, ref: Ref) -> bool:
        """Tell whether the slot still holds what `ref` names."""
        return ref.ring == self.id and self._generations[ref.slot] == ref.generation

    def describe(self) -> bytes:
        """What a reader gets together with the descriptor."""
        return _RING.pack(self.id, self.slots, self.slot_bytes)

    def close(self) -> None:
        """Give up the descriptor; the memory goes when the last array or process that uses it does."""
        os.close(self.descriptor)


class RingReader:
    """Another process's slots, mapped read-only."""

    def __init__(self, description: bytes, descriptor: int) -> None:
        """Map the ring; the descriptor stays the caller's. Raises WireError unless it is a sealed ring of the described size."""
        if len(description) != _RING.size:
            raise WireError(f"ring: expected a description of {_RING.size} bytes, got {len(description)}")
        self.id, self.slots, self.slot_bytes = _RING.unpack(description)
        if not 1 <= self.slots <= MAX_SLOTS or not 1 <= self.slot_bytes <= MAX_SLOT_BYTES or self.slot_bytes % _PAGE:
            raise WireError(f"ring: expected at most {MAX_SLOTS} slots of {MAX_SLOT_BYTES} bytes, got {self.slots} of {self.slot_bytes}")
        size = _PAGE + self.slots * self.slot_bytes
        try:
            seals = fcntl.fcntl(descriptor, _GET_SEALS)
            if seals & _SEALS != _SEALS or os.fstat(descriptor).st_size != size:
                raise WireError(f"ring: expected sealed memory of {size} bytes")
            self._map = mmap.mmap(descriptor, size, flags=mmap.MAP_SHARED | _POPULATE, prot=mmap.PROT_READ)
        except OSError as error:
            raise WireError(f"ring of {size} bytes: {error.strerror}") from error
        self._bytes = memoryview(self._map)
        self.generations = self._bytes[:_PAGE].cast("Q")

    def find(self, ref: Ref) -> SlotView:
        """Return the buffers that `ref` names. Raises WireError if they are not in the ring."""
        finished = ref.generation > 0 and ref.generation % 2 == 0
        if ref.ring != self.id or not finished or ref.slot >= self.slots or offsets(ref.sizes)[1] > self.slot_bytes:
            size = f"{self.slots} slots of {self.slot_bytes} bytes"
            raise WireError(f"ring reference: expected {size}, got slot {ref.slot} and {ref.sizes[:4]}")
        return SlotView(self, ref)

    def cut(self, slot: int, size: int) -> memoryview:
        start = _PAGE + slot * self.slot_bytes
        return self._bytes[start : start + size]


class SlotView:
    """The buffers of one message in a ring that its writer will sooner or later write over."""

    __slots__ = ("_ref", "_ring")

    def __init__(self, ring: RingReader, ref: Ref) -> None:
        self._ring = ring
        self._ref = ref

    def intact(self) -> bool:
        """Tell whether all that was read so far is what was sent."""
        return self._ring.generations[self._ref.slot] == self._ref.generation

    def parts(self) -> list[memoryview]:
        """Return the buffers in place, read-only."""
        return self._split(self._ring.cut(self._ref.slot, offsets(self._ref.sizes)[1]))

    def copy(self) -> list[memoryview] | None:
        """Return copies of the buffers, or None if the writer was faster."""
        if not self.intact():
            return None
        size = offsets(self._ref.sizes)[1]
        own: NDArray[np.uint8] = np.empty(size, np.uint8)
        np.copyto(own, np.frombuffer(self._ring.cut(self._ref.slot, size), np.uint8))
        return self._split(own.data) if self.intact() else None

    def _split(self, whole: memoryview) -> list[memoryview]:
        sizes = self._ref.sizes
        return [whole[start : start + size] for start, size in zip(offsets(sizes)[0], sizes, strict=True)] if len(sizes) > 1 else [whole]
