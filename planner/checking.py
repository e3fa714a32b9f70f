"""Whether a step that was reported to succeed is seen to have had its effect."""

from __future__ import annotations

from typing import Literal

from seesay.messages import ArmState, Objects
from seesay.planner.binding import option_of
from seesay.planner.relations import evidence_ns, holds
from seesay.planner.skills import Library


class Checking:
    """Two looks decide: the first may be of the moment in which the thing was let go."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._doubted_ns = 0

    def look(self, phrase: str, objects: Objects, gripper: ArmState | None) -> Literal["believed", "doubted", "refuted"]:
        """What is seen of the effect of the last step: nothing against it, something against it once, or in a second picture too."""
        if holds(option_of(self._library, phrase), self._library, objects, gripper) is not False:
            self._doubted_ns = 0
            return "believed"
        if not self._doubted_ns or evidence_ns(objects) <= self._doubted_ns:
            self._doubted_ns = self._doubted_ns or evidence_ns(objects)
            return "doubted"
        self._doubted_ns = 0
        return "refuted"
