"""Several cameras and one engine, which the tests hold up and let go."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seesay import topics
from seesay.bus import Bus
from seesay.memory_bus import MemoryBus
from seesay.messages import Detections, Header, Image, Prompt, PromptSet, Source
from seesay.perception.owlvit import ImageCode, Owl
from tests.nodes.test_engines import LONG, answer, process, running
from tests.perception import tiny

CAMERAS = ["a", "b", "c", "d"]


class Engine:
    """A detector that finds nothing, says which pictures it was given together, and waits for the test before it answers."""

    name = "still"
    threshold = 0.5

    def __init__(self, room: int = 256) -> None:
        self.room = room
        self.seen: list[list[tuple[str, int]]] = []
        self.busy, self.go = threading.Semaphore(0), threading.Semaphore(0)

    def check(self, prompts: Sequence[str | Prompt]) -> None:
        pass

    def detect_all(self, images: Sequence[Image], prompts: PromptSet) -> list[Detections]:
        self.seen.append([(image.header.frame_id, image.header.sequence) for image in images])
        if len(images) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.busy.release()
        assert self.go.acquire(timeout=LONG)
        none = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32)
        return [Detections(image.header, 1, ("a cup",), self.name, image.height, image.width, *none) for image in images]


class Stage:
    """A detector node in memory with an Engine, and the cameras in front of it."""

    def __init__(self, bus: MemoryBus) -> None:
        self._pictures = {name: bus.publisher(topics.IMAGE.of(camera=name)) for name in CAMERAS}
        self.results = bus.subscriber(topics.DETECTIONS)
        bus.publisher(topics.PROMPTS).send(PromptSet(Header(0), 1, ("a cup",)))

    def wait_for_node(self) -> None:
        assert all(publisher.wait_for_subscribers(1, LONG) for publisher in self._pictures.values())

    def send(self, cameras: Sequence[str], sequence: int) -> None:
        for camera in cameras:
            header = Header(sequence, sequence, camera, source=Source(camera, sequence, sequence))
            self._pictures[camera].send(Image(header, "rgb8", np.zeros((8, 8, 3), np.uint8)))

    def answered(self, count: int) -> list[tuple[str, int]]:
        taken = [self.results.take(LONG) for _ in range(count)]
        return [(found.message.header.frame_id, found.message.header.sequence) for found in taken if found]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine()
    monkeypatch.setattr("seesay.perception.engines.open_detector", lambda *_, **__: engine)
    return engine


def test_a_batch_holds_the_newest_picture_of_every_camera(engine: Engine) -> None:
    with MemoryBus("test") as bus, running("detector", bus, cameras=CAMERAS, batch=8):
        stage = Stage(bus)
        stage.wait_for_node()
        stage.send("a", 1)
        assert engine.busy.acquire(timeout=LONG)
        for sequence in (2, 3):
            stage.send("abd", sequence)   # c never says anything
        engine.go.release(2)
        assert sorted(stage.answered(4)) == [("a", 1), ("a", 3), ("b", 3), ("d", 3)]
    assert [sorted(batch) for batch in engine.seen] == [[("a", 1)], [("a", 3), ("b", 3), ("d", 3)]]


def test_cameras_take_turns_at_an_engine_of_one(engine: Engine) -> None:
    with MemoryBus("test") as bus, running("detector", bus, cameras=CAMERAS, priority={"a": 2.0}):
        stage = Stage(bus)
        stage.wait_for_node()
        stage.send(CAMERAS, 1)
        for turn in range(2, 22):   # with every answer, all cameras have a new picture
            assert engine.busy.acquire(timeout=LONG)
            stage.send(CAMERAS, turn)
            engine.go.release()
            assert len(stage.answered(1)) == 1
        engine.go.release(100)
    served = [camera for ((camera, _),) in engine.seen[:20]]
    assert {camera: served.count(camera) for camera in CAMERAS} == {"a": 8, "b": 4, "c": 4, "d": 4}


def test_a_camera_with_a_rate_is_not_looked_at_more_often(engine: Engine) -> None:
    with MemoryBus("test") as bus, running("detector", bus, cameras=CAMERAS, max_rate_hz={"a": 0.001}):
        stage = Stage(bus)
        stage.wait_for_node()
        engine.go.release(100)
        stage.send("a", 1)
        assert stage.answered(1) == [("a", 1)]
        for sequence in (2, 3):
            stage.send("ab", sequence)
            assert stage.answered(1) == [("b", sequence)]
    assert [picture for batch in engine.seen for picture in batch] == [("a", 1), ("b", 2), ("b", 3)]


def test_what_fits_when_warming_up_bounds_the_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, sizes = str(tiny.save_owl(tmp_path)), list[int]()
    pass_ = Owl._encode

    def limited(owl: Owl, pictures: Sequence[NDArray[np.uint8]]) -> list[tuple[ImageCode, torch.Tensor]]:
        sizes.append(len(pictures))
        if len(pictures) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return pass_(owl, pictures)

    monkeypatch.setattr(Owl, "_encode", limited)
    with MemoryBus("test") as bus, running("detector", bus, model=folder, cameras=CAMERAS, batch=8, window_ms=1000.0):
        stage = Stage(bus)
        stage.wait_for_node()
        for sequence in range(1, 4):
            stage.send(CAMERAS, sequence)
            assert sorted(stage.answered(4)) == [(camera, sequence) for camera in CAMERAS]
    assert sizes[:4] == [1, 2, 4, 2]   # warming up
    assert max(sizes[4:]) <= 2


def test_a_batch_that_does_not_fit_is_halved_and_no_picture_of_it_is_lost(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    engine.room = 2
    with MemoryBus("test") as bus, running("detector", bus, cameras=CAMERAS, batch=8, window_ms=1000.0):
        stage = Stage(bus)
        stage.wait_for_node()
        stage.send("a", 1)
        assert engine.busy.acquire(timeout=LONG)
        stage.send(CAMERAS, 2)   # all wait when the engine is free again
        engine.go.release(100)
        assert sorted(stage.answered(5)) == [("a", 1), *((camera, 2) for camera in CAMERAS)]
        stage.send(CAMERAS, 3)
        assert sorted(stage.answered(4)) == [(camera, 3) for camera in CAMERAS]
    assert "from now on at most 2 at once" in caplog.text
    sizes = [len(batch) for batch in engine.seen]
    assert sizes[:4] == [1, 4, 2, 2]
    assert max(sizes[4:]) <= 2


@pytest.mark.timeout(400)
def test_a_gpu_that_vanishes_fails_the_node_with_one_sentence(session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lost.py").write_text(
        "import torch\n"
        "class Lost:\n"
        "    name, threshold = 'lost', 0.5\n"
        "    def __init__(self, *_): pass\n"
        "    def check(self, prompts): pass\n"
        "    def detect(self, image, prompts): raise AssertionError\n"
        "    def detect_all(self, images, prompts): raise torch.AcceleratorError('CUDA error: GPU is lost\\nmore')\n"
    )
    info = tmp_path / "lost-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lost\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[seesay.detectors]\nlost = lost:Lost\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])]))
    with Bus(session, "test") as bus, process(session, model="lost") as child:
        statuses = bus.subscriber(topics.NODE_STATUS)
        with pytest.raises(AssertionError, match="no answer"):
            answer(bus, topics.DETECTIONS, until=lambda: child.poll() is not None)
        assert child.wait(LONG) == 1
        states = [received.message for received in statuses.take_all()]
    assert states[-1].state == "failed"
    assert states[-1].message == "the GPU failed or is gone (CUDA error: GPU is lost); start the node again, and look at nvidia-smi"


def test_depth_sent_for_a_picture_is_left_out_and_the_node_goes_on(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    with MemoryBus("test") as bus, running("detector", bus, cameras=CAMERAS, batch=8):
        stage = Stage(bus)
        stage.wait_for_node()
        engine.go.release()
        depth = Image(Header(1, 1, "a", source=Source("a", 1, 1)), "32FC1", np.ones((8, 8), np.float32))
        bus.publisher(topics.IMAGE.of(camera="a")).send(depth)
        stage.send("b", 2)
        assert stage.answered(1) == [("b", 2)]
        stage.send("a", 3)
        engine.go.release()
        assert stage.answered(1) == [("a", 3)]
    assert [picture for batch in engine.seen for picture in batch] == [("b", 2), ("a", 3)]
    assert any("expected a colour or grey picture, got 32FC1 of a" in record.message for record in caplog.records)
