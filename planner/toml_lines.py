"""On which line of a TOML file something stands, so that an error can name it: tomllib reports lines for syntax only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from seesay.errors import SkillError

Path = tuple[str | int, ...]
_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_HEADER = re.compile(rf"(\[\[?)\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*\]\]?")
_ASSIGNMENT = re.compile(rf"({_KEY}(?:\s*\.\s*{_KEY})*)\s*=")
_STRING = re.compile(r""""(?:[^"\\]|\\.)*"|'[^']*'""")


class Misplaced(SkillError):
    """A SkillError about the part of a file at `path`."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


@contextmanager
def part(*path: str | int) -> Iterator[None]:
    """Whatever SkillError comes out is about this part of the file: `with part("skills", 2): ...`."""
    try:
        yield
    except SkillError as error:
        inner = error.path if isinstance(error, Misplaced) else ()
        raise Misplaced(str(error), (*path, *inner)) from error


def line_of(text: str, path: Path) -> int:
    """Line of a valid TOML text, from 1, where the part at `path` stands, or the smallest part around it that has a line of its own."""
    lines = _lines(text)
    return next((lines[path[:length]] for length in range(len(path), 0, -1) if path[:length] in lines), 1)


def _lines(text: str) -> dict[Path, int]:
    """First line of every table, array entry and key that starts a line."""
    found: dict[Path, int] = {}
    counts: Counter[Path] = Counter()
    table: Path = ()
    depth, quote = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        if quote:
            quote = "" if quote in line else quote
            continue
        if depth == 0:
            if header := _HEADER.match(line.strip()):
                table = _table(header, counts)
                found.setdefault(table, number)
                continue
            if assignment := _ASSIGNMENT.match(line.strip()):
                found.setdefault((*table, *_names(assignment[1])), number)
        quote = next((mark for mark in ('\"\"\"', "'''") if line.count(mark) % 2), "")
        bare = _STRING.sub("", line).partition("#")[0]
        depth = max(0, depth + sum(map(bare.count, "[{")) - sum(map(bare.count, "]}")))
    return found


def _table(header: re.Match[str], counts: Counter[Path]) -> Path:
    """Path of a [table] or of the next entry of an [[array]]; an array on the way stands for its newest entry."""
    path: Path = ()
    names = _names(header[2])
    for index, name in enumerate(names):
        path = (*path, name)
        if header[1] == "[[" and index == len(names) - 1:
            counts[path] += 1
        if counts[path]:
            path = (*path, counts[path] - 1)
    return path


def _names(dotted: str) -> list[str]:
    return [name.strip("\"'") for name in re.findall(_KEY, dotted)]
