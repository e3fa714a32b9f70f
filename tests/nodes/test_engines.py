"""The detector and segmenter nodes with every tier of models: fused ones, and what other distributions plug in."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seesay import topics
from seesay.bus import AnyBus, Bus
from seesay.config import from_mapping
from seesay.errors import ModelError, PromptError
from seesay.memory_bus import MemoryBus
from seesay.messages import Detections, Example, Header, Image, Masks, Prompt, PromptSet, Source
from seesay.nodes.runtime import Node, load_node
from seesay.perception.engines import open_detector, open_segmenter
from tests.perception import tiny, tiny_fused

LONG = 100.0
PROMPTS = ("a red block", "the bowl")
DOCS = Path(__file__).parents[2] / "docs" / "perception.md"


@contextmanager
def running(run: str, bus: MemoryBus, **parameters: Any) -> Iterator[None]:
    """A node in a thread of its own, stopped at the end; what it raises is raised here."""
    module, node, failures = load_node(run), Node(run, bus.join(run)), list[BaseException]()

    def target() -> None:
        try:
            module.run(node, from_mapping(module.Config, parameters, run))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    try:
        yield
    finally:
        node.end()
        thread.join(LONG)
        node.bus.close()
    assert not thread.is_alive()
    if failures:
        raise failures[0]


@contextmanager
def process(session: Path, **parameters: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A detector node in a process of its own, which does not outlive the test."""
    command = [sys.executable, "-m", "seesay.nodes.runtime", "detector", "--session", str(session), "--config", json.dumps(parameters)]
    with subprocess.Popen(command) as child:
        try:
            yield child
        finally:
            child.kill()


def answer(
    bus: AnyBus,
    topic: topics.Topic[Any],
    camera: str = "front",
    prompts: tuple[str | Prompt, ...] = PROMPTS,
    until: Callable[[], bool] = lambda: False,
) -> Any:
    """Send prompts and pictures to a node that runs, or is about to; return what it says of the first that it answers."""
    results, words = bus.subscriber(topic), bus.publisher(topics.PROMPTS)
    pictures = bus.publisher(topics.IMAGE.of(camera=camera))
    words.send(PromptSet(Header(1), 5, prompts))
    assert pictures.wait_for_subscribers(1, LONG)
    for stamp in range(1, 200):   # what comes before the prompts may be left out
        pictures.send(Image(Header(stamp, stamp, source=Source(camera, stamp, stamp)), "rgb8", tiny.picture()))
        result = results.take(0.5)
        if result is not None:
            return result.message
        if until():
            break
    raise AssertionError("no answer")


@pytest.mark.parametrize("family", tiny_fused.FAMILIES)
def test_the_node_takes_fused_detectors(family: str, tmp_path: Path) -> None:
    folder = tiny_fused.save(tmp_path / family, family)
    with MemoryBus("test") as bus, running("detector", bus, model=str(folder), threshold=0.0):
        found: Detections = answer(bus, topics.DETECTIONS)
    assert (found.model, found.prompts, found.prompt_version) == (str(folder), PROMPTS, 5)
    assert set(found.prompt_indices.tolist()) == {0, 1}
    assert found.header.source is not None
    assert found.header.source.camera == "front"


def test_examples_and_templates_reach_the_node(tmp_path: Path) -> None:
    folder = str(tiny.save_owl(tmp_path))
    example = Example(tiny.picture(seed=1), box=np.array([8, 8, 100, 80], np.float32))
    prompts = (Prompt("that", examples=(example,)), Prompt("cup", templates=("a photo of a {}", "the {}")), "[a bowl [a cup]]")
    with MemoryBus("test") as bus, running("detector", bus, model=folder, threshold=0.0):
        found: Detections = answer(bus, topics.DETECTIONS, prompts=prompts)
    assert found.prompts == ("that", "cup", "a bowl", "a cup")
    wanted = open_detector(folder, threshold=0.0).detect(Image(Header(0), "rgb8", tiny.picture()), PromptSet(Header(0), 5, prompts))
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-4)
    np.testing.assert_array_equal(found.parents, wanted.parents)


@pytest.mark.timeout(400)
def test_a_fused_detector_as_a_process(session: Path, tmp_path: Path) -> None:
    folder = tiny_fused.save(tmp_path / "model", "grounding-dino")
    with Bus(session, "test") as bus, process(session, model=str(folder), threshold=0.0, cameras=["wrist"]) as child:
        found = answer(bus, topics.DETECTIONS, "wrist")
        child.terminate()
        assert child.wait(LONG) == 0
    assert found.prompts == PROMPTS
    assert len(found.boxes)


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plug-in of docs/perception.md, installed as a distribution on the path."""
    program, points = re.search(r"```python\n(\"\"\"Colours.*?)```.*?```toml\n(.*?)```", DOCS.read_text(), re.DOTALL).groups()  # type: ignore[union-attr]
    (tmp_path / "colour_finder.py").write_text(program)
    info = tmp_path / "colour_finder-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: colour-finder\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points.replace('"', "").replace("project.entry-points.", ""))
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("plugged")
def test_the_plug_ins_of_the_documentation_run_in_the_nodes() -> None:
    rgb = np.zeros((40, 60, 3), np.uint8)
    rgb[10:20, 30:50] = (255, 0, 0)
    asked = PromptSet(Header(0), 1, ("blue", "red"))
    for image in (Image(Header(0), "rgb8", rgb), Image(Header(0), "bgr8", np.ascontiguousarray(rgb[..., ::-1]))):
        found = open_detector("colours").detect(image, asked)
        assert found.boxes.tolist() == [[30, 10, 50, 20]]
        assert found.prompt_indices.tolist() == [1]
        assert open_segmenter("colours").segment(image, asked).scores.tolist() == [0, 1]
    with pytest.raises(PromptError, match="beige"):
        open_detector("colours").check(["beige"])
    with MemoryBus("test") as bus, running("detector", bus, model="colours"):
        seen: Detections = answer(bus, topics.DETECTIONS, prompts=("red",))
    assert (seen.model, seen.prompts) == ("colours", ("red",))
    with MemoryBus("test") as bus, running("segmenter", bus, model="colours:soft"):
        masks: Masks = answer(bus, topics.MASKS, prompts=("red", "green"))
    assert (masks.model, len(masks.starts)) == ("colours", 3)


def test_a_plug_in_that_fails_is_named(plugged: Path) -> None:
    points = plugged / "colour_finder-1.0.dist-info" / "entry_points.txt"
    points.write_text(
        "[seesay.detectors]\nbroken = colour_finder:nothing\nodd = colour_finder:COLOURS.get\n[seesay.segmenters]\nodd = builtins:slice\n"
    )
    with pytest.raises(ModelError, match=r"detector plug-in 'broken' of colour-finder failed \(AttributeError"):
        open_detector("broken")
    with pytest.raises(ModelError, match=r"detector plug-in 'odd' of colour-finder failed \(TypeError"):
        open_detector("odd")
    with pytest.raises(ModelError, match="expected AnySegmenter of the segmenter plug-in 'odd' of colour-finder, got slice"):
        open_segmenter("odd")
