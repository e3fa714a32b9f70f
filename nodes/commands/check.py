"""One finding of `seesay doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """What was `found`, and the `cure` where it is not `ok`."""

    name: str
    ok: bool
    found: str
    cure: str = ""
