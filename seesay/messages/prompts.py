"""What to look for, and who has heard of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seesay.errors import MessageError
from seesay.messages.checks import check_array
from seesay.messages.pictures import MAX_PICTURE_PIXELS, Header

MAX_VARIANTS = 64


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Example:
    """A picture that shows what to look for.

    rgb: `(H, W, 3) uint8`. mask: `(H, W) uint8`, not 0 where the thing is; box: `(4,) float32` xyxy pixels around it. With neither, all of
    the picture shows it; a mask goes before a box.
    """

    rgb: NDArray[np.uint8]
    box: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    mask: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))

    def __post_init__(self) -> None:
        check_array("Example.rgb", self.rgb, "uint8", (None, None, 3))
        height, width = self.rgb.shape[:2]
        if not 1 <= height * width <= MAX_PICTURE_PIXELS:
            raise MessageError(f"Example.rgb: expected 1 to {MAX_PICTURE_PIXELS} pixels, got {height} x {width}")
        if self.box.size:
            check_array("Example.box", self.box, "float32", (4,))
            x0, y0, x1, y1 = self.box.tolist()
            if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
                raise MessageError(f"Example.box: expected a box inside the {height} x {width} picture, got {self.box.tolist()}")
        if self.mask.size:
            check_array("Example.mask", self.mask, "uint8", (height, width))
            if not self.mask.any():
                raise MessageError("Example.mask: expected some pixels of the thing, got none")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What to look for, where that is more than a text; results call it `text`.

    templates: sentences with {} for the text, such as "a photo of a {}", which count together; none: the text as it is.
    examples: pictures of it, which count together; text_weight: share in [0, 1] of the text beside them.
    threshold: least score in [0, 1] of its boxes; overlap: IoU in [0, 1] over which the weaker of two of them goes; mask_threshold: least
    probability in [0, 1] of a pixel in its mask; None takes the model's own. negative: it has no boxes, and takes away those that it
    fits better than any other prompt does.
    """

    text: str
    templates: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    text_weight: float = 0.0
    threshold: float | None = None
    overlap: float | None = None
    mask_threshold: float | None = None
    negative: bool = False

    def __post_init__(self) -> None:
        if len(self.templates) > MAX_VARIANTS or len(self.examples) > MAX_VARIANTS:
            raise MessageError(f"Prompt {self.text[:40]!r}: expected at most {MAX_VARIANTS} templates and as many examples, got more")
        for template in self.templates:
            if "{}" not in template:
                raise MessageError(f"Prompt.templates: expected {{}} where the text belongs, got {template[:80]!r}")
        for name in ("text_weight", "threshold", "overlap", "mask_threshold"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value <= 1.0:
                raise MessageError(f"Prompt.{name}: expected a number in [0, 1], got {value}")


@dataclass(frozen=True, slots=True)
class PromptSet:
    """What to look for. `version` rises with each change; every result says which version and text it answers."""

    header: Header
    version: int
    prompts: tuple[str | Prompt, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The prompts as texts, a tree as it is written."""
        return tuple(prompt if isinstance(prompt, str) else prompt.text for prompt in self.prompts)


@dataclass(frozen=True, slots=True)
class PromptAck:
    """What a node of perception did with the set of prompts of that version.

    refusal: empty, and all that it publishes from now on answers the set; else it goes on with the former one for that reason.
    """

    header: Header
    node: str
    version: int
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class PromptChange:
    """How a change of the prompts went: the version in force, and which nodes took the new set, refused it (with the sentence why) or were
    silent. If any refused, `version` is that of the former prompts again."""

    header: Header
    version: int
    taken: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
