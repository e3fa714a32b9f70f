"""Names that stay with their objects: a green bowl with a red block in it may look like a red bowl, but it is still the green one."""

from __future__ import annotations

from dataclasses import replace

from seesay.messages import Objects


class Anchors:
    """Remembers for one task which object went by which name first; ids of objects persist (see `messages.Object`)."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}

    def apply(self, objects: Objects) -> Objects:
        """The objects, each under the name that it had first, unless something else goes by that name now."""
        there = {thing.id for thing in objects.objects}
        labels = {thing.label for thing in objects.objects if thing.status != "lost"}
        first = {number: name for name, number in self._ids.items() if number in there and name not in labels}
        named = [replace(thing, label=first.get(thing.id, thing.label)) for thing in objects.objects]
        for thing in named:
            if thing.status != "lost" and self._ids.get(thing.label) not in there and thing.id not in self._ids.values():
                self._ids[thing.label] = thing.id
        return replace(objects, objects=tuple(named))
