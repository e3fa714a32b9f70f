"""What a detector gives to a memory, and the service `ask`: in which past pictures prompts are seen, and where the things were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from seesay.errors import PromptError
from seesay.messages import AskRequest, EncodeRequest, Image, PromptVectors, Sighting, Sightings
from seesay.nodes.join import source_of
from seesay.nodes.node import Node
from seesay.perception.detector import Detector
from seesay.perception.memory import VisualMemory, places
from seesay.perception.owlvit import ImageCode
from seesay.services import ASK, ENCODE
from seesay.topics import EMBEDDINGS

ENCODE_S = 5.0
FOREVER_S = 1e9
MOST_PROMPTS, MOST_PICTURES = 100, 1000


def share(node: Node, detector: Detector) -> None:
    """Publish what the detector makes of each picture, if anybody takes it, and serve `NODE/encode`."""
    publisher = node.bus.publisher(EMBEDDINGS)

    def publish(image: Image, code: ImageCode) -> None:
        if publisher.subscribers:
            node.publish(EMBEDDINGS, detector.embeddings(image, code))

    detector.observer = publish
    encode = ENCODE.of(node=node.name)
    node.bus.service(encode, lambda request: replace(detector.encode_prompts(request.prompts), header=node.header()))


class Recall:
    """Serves `ask` until the node's bus is closed. detector: the node whose pictures are remembered; it encodes the prompts."""

    def __init__(self, node: Node, memory: VisualMemory, detector: str, world: str) -> None:
        self._node, self._memory, self._world = node, memory, world
        self._encode = node.bus.client(ENCODE.of(node=detector))
        node.bus.service(ASK, self._answer)

    def _answer(self, request: AskRequest) -> Sightings:
        if not (1 <= len(request.prompts) <= MOST_PROMPTS and 1 <= request.limit <= MOST_PICTURES):
            got = f"{len(request.prompts)} prompts and a limit of {request.limit}"
            raise PromptError(f"ask: expected 1 to {MOST_PROMPTS} prompts and a limit of 1 to {MOST_PICTURES} pictures, got {got}")
        header = self._node.header(self._world)
        since_ns = header.stamp_ns - int(request.within_s * 1e9) if 0 < request.within_s < FOREVER_S else None
        encoded = self._encode.call(EncodeRequest(header, request.prompts), ENCODE_S)
        questions = [replace(encoded, prompts=(prompt,), vectors=encoded.vectors[[i]]) for i, prompt in enumerate(encoded.prompts)]
        sightings = tuple(seen for question in questions for seen in self._sightings(question, since_ns, request, header.stamp_ns))
        return Sightings(header, len(self._memory.pictures(since_ns, request.camera)), sightings)

    def _sightings(self, question: PromptVectors, since_ns: int | None, request: AskRequest, now_ns: int) -> Iterator[Sighting]:
        for picture, found in self._memory.ask(question, since_ns, request.camera, request.limit):
            source = source_of(picture.header)
            age_s = (now_ns - source.stamp_ns) / 1e9
            for box, score, position in zip(found.boxes, found.scores, places(picture, found), strict=True):
                yield Sighting(question.prompts[0], source, age_s, float(score), box, position)
