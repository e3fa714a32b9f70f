"""Visual memory: what the image tower made of past pictures, so that a new text can be looked for in them without a pass of the tower.

OWL-ViT scores a box by the product of its token with the prompt's vector (Minderer et al., 2022). The tokens do not depend on the prompt,
so they can be kept, one byte a component, and asked later: one matrix product for all the pictures that are remembered.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seesay.errors import ModelError
from seesay.messages import Detections, Header
from seesay.perception.detector import Detector
from seesay.perception.owlvit import ImageCode

if TYPE_CHECKING:
    import torch

AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class _Frame:
    """vectors `(P, D) int8` times units `(P, 1) float32` are the unit vectors; shift, scale `(P, 1) float32`; corners `(P, 4) float32`."""

    header: Header
    height: int
    width: int
    vectors: NDArray[np.int8]
    units: NDArray[np.float32]
    shift: NDArray[np.float32]
    scale: NDArray[np.float32]
    corners: NDArray[np.float32]

    @property
    def bytes(self) -> int:
        return sum(part.nbytes for part in (self.vectors, self.units, self.shift, self.scale, self.corners))


class VisualMemory:
    """The newest pictures that fit into `megabytes`, as the detector's image tower saw them. Safe to use from several threads.

    >>> memory = VisualMemory(detector)                                    # doctest: +SKIP
    >>> memory.add(header, detector.owl.encode_image(rgb), *rgb.shape[:2])
    >>> memory.ask(["a blue cup"], since_ns=header.stamp_ns - 30 * 10**9)
    """

    def __init__(self, detector: Detector, megabytes: float = 64.0) -> None:
        if not megabytes > 0:
            raise ModelError(f"expected a positive number of megabytes for the visual memory, got {megabytes}")
        self._detector = detector
        self._budget = int(megabytes * 1e6)
        self._frames: deque[_Frame] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def megabytes(self) -> float:
        """What the remembered pictures take."""
        return self._bytes / 1e6

    def add(self, header: Header, code: ImageCode, height: int, width: int) -> None:
        """Remember a picture of that size in pixels; the oldest ones leave when the budget is full."""
        vectors = code.embeddings.cpu().numpy()
        units = (np.abs(vectors).max(axis=1, keepdims=True) / 127).astype(np.float32)
        small = np.rint(vectors / np.maximum(units, 1e-12)).astype(np.int8)
        corners = self._detector.corners(code, height, width)
        frame = _Frame(header, height, width, small, units, code.shift.cpu().numpy(), code.scale.cpu().numpy(), corners)
        with self._lock:
            self._frames.append(frame)
            self._bytes += frame.bytes
            while self._bytes > self._budget:
                self._bytes -= self._frames.popleft().bytes

    def ask(self, prompts: Sequence[str], since_ns: int = 0) -> list[Detections]:
        """Boxes for the prompts in every remembered picture since that stamp that has any, newest first, as `Detector` would have given.

        Raises PromptError for an empty prompt and for one over the token limit.
        """
        if not prompts:
            return []
        queries = self._detector.owl.encode_prompts(prompts)
        with self._lock:
            frames = [frame for frame in reversed(self._frames) if frame.header.stamp_ns >= since_ns]
        return [
            Detections(
                frame.header, 0, tuple(prompts), self._detector.name, frame.height, frame.width,
                *self._detector.select(corners, probabilities, prompts),
            )
            for frame, corners, probabilities in self._passing(frames, queries)
        ]

    def _passing(
        self, frames: list[_Frame], queries: torch.Tensor
    ) -> Iterator[tuple[_Frame, NDArray[np.float32], NDArray[np.float32]]]:
        """(frame, corners, probabilities) of the tokens with any probability over the threshold."""
        import torch

        for first in range(0, len(frames), AT_ONCE):
            some = frames[first : first + AT_ONCE]
            vectors = torch.from_numpy(np.concatenate([frame.vectors for frame in some])).to(queries.device)
            units, shift, scale = (
                torch.from_numpy(np.concatenate(parts)).to(queries.device)
                for parts in zip(*((frame.units, frame.shift, frame.scale) for frame in some), strict=True)
            )
            with torch.inference_mode():
                probabilities: NDArray[np.float32] = (((vectors.float() @ queries.T) * units + shift) * scale).sigmoid().cpu().numpy()
            sure = probabilities.max(axis=1) > self._detector.threshold
            ends = np.cumsum([len(frame.vectors) for frame in some])
            for frame, end in zip(some, ends, strict=True):
                tokens = slice(end - len(frame.vectors), end)
                if sure[tokens].any():
                    yield frame, frame.corners[sure[tokens]], probabilities[tokens][sure[tokens]]
