"""Any detector or segmenter by its name: the embedded ones, Hugging Face's, and those that other distributions plug in.

A distribution plugs one in by an entry point of the group `seesay.detectors` or `seesay.segmenters`, whose object is called with
(argument, threshold, device) and returns an `AnyDetector` or `AnySegmenter`; docs/perception.md shows a whole one.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, runtime_checkable

from seesay.errors import ModelError, SeeSayError
from seesay.messages import Detections, Image, Masks, Prompt, PromptSet
from seesay.perception.detector import Detector
from seesay.perception.device import Dtype
from seesay.perception.embedded import EMBEDDED, FUSED, Kind, family
from seesay.perception.fused import FusedDetector
from seesay.perception.segmenter import Segmenter


@runtime_checkable
class AnyDetector(Protocol):
    """Finds boxes for prompts. threshold: least score in [0, 1] of a box, which may change between two pictures."""

    threshold: float

    @property
    def name(self) -> str: ...

    def check(self, prompts: Sequence[str | Prompt]) -> None:
        """Raise PromptError if the model cannot take one of the prompts."""

    def detect(self, image: Image, prompts: PromptSet) -> Detections:
        """Boxes in the picture for all prompts of the set, best first."""
        ...

    def detect_all(self, images: Sequence[Image], prompts: PromptSet) -> list[Detections]:
        """The same for several pictures of any sizes."""
        ...


@runtime_checkable
class AnySegmenter(Protocol):
    """Finds one mask per prompt. threshold: least probability in (0, 1) of a pixel in a mask, which may change between two pictures."""

    threshold: float

    @property
    def name(self) -> str: ...

    def check(self, prompts: Sequence[str | Prompt]) -> None:
        """Raise PromptError if the model cannot take one of the prompts."""

    def segment(self, image: Image, prompts: PromptSet) -> Masks:
        """One mask per prompt of the set."""
        ...

    def segment_all(self, images: Sequence[Image], prompts: PromptSet) -> list[Masks]:
        """The same for several pictures of any sizes."""
        ...


def open_detector(
    model: str = EMBEDDED,
    threshold: float | None = None,
    device: str = "auto",
    letterbox: bool = False,
    dtype: Dtype = "float32",
    compiled: bool = False,
) -> AnyDetector:
    """Load a detector: `"embedded"`, a folder or Hugging Face id of an OWL-ViT, OWLv2, Grounding DINO, MM-Grounding-DINO or OmDet-Turbo,
    or `"NAME"` or `"NAME:ARGUMENT"` of a plug-in.

    threshold: None takes the model's own. device: a torch device, `"auto"` = cuda where there is one. letterbox: as in
    `Detector.from_pretrained`, for an OWL-ViT only. dtype, compiled: of the image tower, for OWL-ViT and OWLv2 only. Raises ModelError.
    """
    made = _plugged("detector", model, threshold, device, AnyDetector)
    if letterbox and (made is not None or family("detector", model) in FUSED):
        raise ModelError(f"expected an OWL-ViT for letterbox, got {model!r}; leave it out")
    if made is not None:
        detector: AnyDetector = made
        return detector
    if (kind := family("detector", model)) in FUSED:
        if dtype != "float32" or compiled:
            raise ModelError(f"expected float32, not compiled, for a {kind}, got dtype={dtype!r}, compiled={compiled}; leave both out")
        return FusedDetector.from_pretrained(model, threshold, device)
    return Detector.from_pretrained(model, threshold, device, letterbox, dtype, compiled)


def open_segmenter(
    model: str = EMBEDDED, threshold: float | None = None, device: str = "auto", dtype: Dtype = "float32", compiled: bool = False
) -> AnySegmenter:
    """Load a segmenter: `"embedded"`, a folder or Hugging Face id of a CLIPSeg, or `"NAME"` or `"NAME:ARGUMENT"` of a plug-in.

    threshold: None takes the model's own. device: a torch device, `"auto"` = cuda where there is one. dtype, compiled: of the image tower,
    for OWL-ViT, OWLv2 and CLIPSeg only. Raises ModelError.
    """
    made = _plugged("segmenter", model, threshold, device, AnySegmenter)
    if made is not None:
        segmenter: AnySegmenter = made
        return segmenter
    return Segmenter.from_pretrained(model, threshold, device, dtype, compiled)


def _plugged(kind: Kind, model: str, threshold: float | None, device: str, protocol: Any) -> Any:
    """What the plug-in makes, None if there is none of that name."""
    name, _, argument = model.partition(":")
    points = list(entry_points(group=f"seesay.{kind}s", name=name))
    if not points:
        return None
    if len(points) > 1:
        owners = " and ".join(map(_owner, points))
        raise ModelError(f"expected one {kind} plug-in called {name!r}, got those of {owners}; uninstall one")
    try:
        made = points[0].load()(argument, threshold, device)
    except SeeSayError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ModelError(f"the {kind} plug-in {name!r} of {_owner(points[0])} failed ({said}); ask its authors") from error
    if not isinstance(made, protocol):
        plugin = f"{kind} plug-in {name!r} of {_owner(points[0])}"
        raise ModelError(f"expected {protocol.__name__} of the {plugin}, got {type(made).__name__}; ask its authors")
    return made


def _owner(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
