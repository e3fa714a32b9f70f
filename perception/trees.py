"""Trees of prompts in NanoOWL's notation: `[a table [a cup, a bowl (full, empty)]]`.

Square brackets: look for these, inside what stands before them or, at the start, in the picture. Round ones: say which of these it is.
A name may have several groups of either kind: `[a face [a nose, an eye] (happy, sad)]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from seesay.errors import PromptError
from seesay.messages import Prompt

LONGEST = 2000
DEEPEST = 4
MOST = 256
_CLOSING = {"[": "]", "(": ")"}


@dataclass(frozen=True)
class Branch:
    """A prompt, its place among all prompts in the order in which they are written, what to look for inside its boxes, and groups of which
    one each fits best."""

    prompt: Prompt
    index: int = -1
    finds: tuple[Branch, ...] = ()
    kinds: tuple[tuple[Branch, ...], ...] = ()

    @property
    def below(self) -> tuple[Branch, ...]:
        """The branches that come next."""
        return self.finds + tuple(branch for group in self.kinds for branch in group)

    def walk(self) -> Iterator[Branch]:
        """All branches below, in the order in which they are written within their groups."""
        for branch in self.below:
            yield branch
            yield from branch.walk()


@lru_cache(maxsize=8)
def plant(prompts: tuple[str | Prompt, ...]) -> Branch:
    """One tree of all prompts, its root the picture; texts that start with a bracket are read as trees. Raises PromptError."""
    finds: list[Branch] = []
    kinds: list[tuple[Branch, ...]] = []
    for prompt in prompts:
        if isinstance(prompt, str) and prompt.lstrip().startswith(("[", "(")):
            tree = _Reader(prompt).read()
            finds += tree.finds
            kinds += tree.kinds
        else:
            finds.append(Branch(prompt if isinstance(prompt, Prompt) else Prompt(str(prompt))))
    return _numbered(Branch(Prompt(""), -1, tuple(finds), tuple(kinds)), iter(range(1 << 20)))


def _numbered(branch: Branch, numbers: Iterator[int]) -> Branch:
    def number(group: Sequence[Branch]) -> tuple[Branch, ...]:
        return tuple(_numbered(Branch(b.prompt, next(numbers), b.finds, b.kinds), numbers) for b in group)

    finds = number(branch.finds)
    return Branch(branch.prompt, branch.index, finds, tuple(number(group) for group in branch.kinds))


class _Reader:
    """Reads one tree from left to right."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise PromptError(f"expected a tree of at most {LONGEST} characters, got {len(text)}: {text[:40]!r}...; make several")
        self._text = text
        self._pieces = [(piece[0], piece.start() + 1) for piece in re.finditer(r"[\[\](),]|[^\[\](),]+", text) if piece[0].strip()]
        self._next = self._names = 0

    def read(self) -> Branch:
        finds, kinds = self._groups(1)
        if self._next < len(self._pieces):
            raise self._wrong("the end, or '[' or '('")
        return Branch(Prompt(""), -1, finds, kinds)

    def _groups(self, depth: int) -> tuple[tuple[Branch, ...], tuple[tuple[Branch, ...], ...]]:
        finds: list[Branch] = []
        kinds: list[tuple[Branch, ...]] = []
        while self._peek() in _CLOSING:
            opening = self._take()
            if depth > DEEPEST:
                raise self._wrong(f"a tree of at most {DEEPEST} levels", back=1)
            group = self._group(_CLOSING[opening], depth)
            if opening == "[":
                finds += group
            else:
                kinds.append(group)
        return tuple(finds), tuple(kinds)

    def _group(self, closing: str, depth: int) -> tuple[Branch, ...]:
        branches = []
        while True:
            name = self._peek()
            if name in ("", ",", *_CLOSING, *_CLOSING.values()):
                raise self._wrong("a name")
            self._names += 1
            if self._names > MOST:
                raise self._wrong(f"at most {MOST} names")
            self._take()
            branches.append(Branch(Prompt(" ".join(name.split())), -1, *self._groups(depth + 1)))
            if self._peek() not in (",", closing):
                raise self._wrong(f"',' or {closing!r}")
            if self._take() == closing:
                return tuple(branches)

    def _peek(self) -> str:
        return self._pieces[self._next][0] if self._next < len(self._pieces) else ""

    def _take(self) -> str:
        self._next += 1
        return self._pieces[self._next - 1][0]

    def _wrong(self, wanted: str, back: int = 0) -> PromptError:
        place = self._next - back
        if place < len(self._pieces):
            piece, column = self._pieces[place]
            got = f"{piece.strip()[:20]!r} at character {column}"
        else:
            got = "the end"
        return PromptError(f"expected {wanted}, got {got} of the tree {self._text[:80]!r}; write it as '[a table [a cup (full, empty)]]'")
