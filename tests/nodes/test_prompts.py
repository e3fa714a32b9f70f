"""Prompts change while pictures flow: every result says what it answers, and no picture is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from seesay import services, topics
from seesay.bus import Bus, MemoryBus, Publisher, Subscriber
from seesay.errors import PromptError
from seesay.messages import Header, Image, Prompt, PromptAck, PromptChange, PromptSet, Source
from seesay.nodes import prompting
from seesay.nodes.node import Node
from seesay.nodes.prompting import PromptKeeper, PromptsInForce
from tests.perception import tiny

LONG = 60.0
CAMERAS = ("front", "side")
CHANGES = 50

Member = Callable[[str], MemoryBus]


@contextmanager
def process(session: Path, run: str, **config: object) -> Iterator[None]:
    command = [sys.executable, "-m", "seesay.nodes.runtime", run, "--session", str(session), "--config", json.dumps(config)]
    with subprocess.Popen(command) as child:
        try:
            yield
        finally:
            child.terminate()
            child.wait(LONG)


def send_picture(pictures: dict[str, Publisher[Image]], camera: str, sequence: int) -> None:
    header = Header(sequence, sequence, f"{camera}_optical", source=Source(camera, sequence, sequence))
    pictures[camera].send(Image(header, "rgb8", tiny.picture(64, 64, seed=sequence % 5)))


def ask(bus: Bus | MemoryBus, *prompts: str | Prompt) -> PromptChange:
    return bus.client(services.PROMPTS).call(PromptSet(Header(0), 0, prompts), LONG)


@pytest.mark.timeout(300)
def test_fifty_changes_in_a_stream_lose_no_picture_and_mislabel_none(session: Path, tmp_path: Path) -> None:
    models = {"detector": str(tiny.save_owl(tmp_path / "owl")), "segmenter": str(tiny.save_clipseg(tmp_path / "clipseg"))}
    with ExitStack() as stack:
        bus = stack.enter_context(Bus(session, "test"))
        acks, pictures = bus.subscriber(topics.PROMPT_ACK), {name: bus.publisher(topics.IMAGE.of(camera=name)) for name in CAMERAS}
        results: dict[str, Subscriber[Any]] = {"detector": bus.subscriber(topics.DETECTIONS), "segmenter": bus.subscriber(topics.MASKS)}
        stack.enter_context(process(session, "vocabulary", prompts=["first"]))
        for run, model in models.items():
            stack.enter_context(process(session, run, model=model, cameras=CAMERAS))
        ready: set[str] = set()
        while ready != set(models):
            ack = acks.take(LONG)
            assert ack is not None
            assert (ack.message.version, ack.message.refusal) == (1, "")
            ready.add(ack.message.node)
        while (answer := ask(bus, "second")).taken != ("detector", "segmenter"):   # until the keeper has heard of both
            assert not answer.refused

        first = answer.version + 1
        known: dict[int, tuple[str, ...]] = {answer.version: ("second",)}
        changes: list[PromptChange] = []
        done = threading.Event()

        def change() -> None:
            for number in range(CHANGES):
                texts = tuple(f"thing {number} {place}" for place in range(1 + number % 3))
                known[first + number] = texts
                changes.append(ask(bus, *texts))
            done.set()

        changer = threading.Thread(target=change)
        changer.start()
        versions: list[int] = []
        send = partial(send_picture, pictures)
        send(CAMERAS[0], 1)   # from now on one picture waits at the nodes while they look at the other
        while not done.is_set() or versions[-1] != first + CHANGES - 1:
            sequence = len(versions) + 1
            send(CAMERAS[sequence % 2], sequence + 1)
            for mailbox in results.values():
                result = mailbox.take(LONG)
                assert result is not None
                assert result.message.header.sequence == sequence
                version = result.message.prompt_version
                assert result.message.prompts == known[version]
            versions.append(version)
        assert all(mailbox.take(LONG) for mailbox in results.values())   # of the picture that waited
        changer.join(LONG)
        assert [(answer.version, answer.taken) for answer in changes] == [(first + n, ("detector", "segmenter")) for n in range(CHANGES)]
        assert versions == sorted(versions)
        assert len(set(versions)) > CHANGES / 4   # pictures and changes really were interleaved

        refused = ask(bus, "cup", "a prompt of many more letters than tokens")
        assert set(refused.refused) == {"detector", "segmenter"}
        assert "expected at most 16 tokens" in refused.refused["detector"]
        assert refused.version == first + CHANGES + 1   # the former prompts again, as a version of their own

        tree = ask(bus, "[a table [a cup]]", Prompt("hand", negative=True))
        assert tree.taken == ("detector", "segmenter")
        send("front", 0)
        result = results["detector"].take(LONG)
        assert result is not None
        assert result.message.prompts == ("a table", "a cup", "hand")
        assert len(result.message.parents) == len(result.message.boxes) > 0


class Picky:
    """Stands in for a model that takes short prompts only."""

    def __init__(self) -> None:
        self.checked: list[object] = []

    def __call__(self, prompts: Sequence[str | Prompt]) -> None:
        self.checked.append(prompts)
        if "a very long prompt" in prompts:
            raise PromptError("expected short prompts, got long ones; cut them")


@pytest.fixture
def member() -> Iterator[Member]:
    """`member(name)` is a node's end of one bus in memory."""
    with ExitStack() as stack:
        hub = stack.enter_context(MemoryBus("hub"))
        yield lambda name: stack.enter_context(hub.join(name))


def test_a_set_is_taken_over_once_and_a_refused_one_leaves_the_former(member: Member) -> None:
    bus = member("keeper")
    node, picky = Node("detector", member("detector")), Picky()
    acks = bus.subscriber(topics.PROMPT_ACK)
    prompts = PromptsInForce(node, picky)
    assert prompts.newest() is None
    sets = [PromptSet(Header(0), 1, ("cup",)), PromptSet(Header(0), 2, ("a very long prompt",)), PromptSet(Header(0), 3, ("bowl",))]
    heard: list[PromptAck] = []
    for words, expected in zip(sets, (sets[0], sets[0], sets[2]), strict=True):
        bus.publisher(topics.PROMPTS).send(words)
        assert prompts.newest() == expected
        assert prompts.newest() == expected
        heard += [ack.message for ack in acks.take_all()]
    assert [(ack.node, ack.version, ack.refusal) for ack in heard] == [
        ("detector", 1, ""), ("detector", 2, "expected short prompts, got long ones; cut them"), ("detector", 3, ""),
    ]
    assert len(picky.checked) == 3


def test_a_node_that_comes_late_answers_the_newest_set(member: Member) -> None:
    bus = member("vocabulary")
    PromptKeeper(Node("vocabulary", bus), ["cup", "cup"])
    hand = Prompt("hand", negative=True)
    answer = ask(member("user"), "bowl", hand)
    assert (answer.version, answer.taken, answer.refused, answer.silent) == (2, (), {}, ())
    words = PromptsInForce(Node("detector", member("detector")), Picky()).newest()
    assert words is not None
    assert (words.version, words.prompts) == (2, ("bowl", hand))


def test_a_set_that_a_node_refuses_is_taken_back(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    bus = member("vocabulary")
    PromptKeeper(Node("vocabulary", bus), ["cup"])
    node = Node("detector", member("detector"))
    prompts, stop = PromptsInForce(node, Picky()), threading.Event()

    def look() -> None:
        while not stop.is_set():
            node.wait([prompts.mailbox], 1.0)
            prompts.newest()

    prompts.newest()
    thread = threading.Thread(target=look)
    thread.start()
    refused = ask(member("user"), "a very long prompt")
    taken = ask(member("other"), "bowl")
    stop.set()
    thread.join(LONG)
    monkeypatch.setattr(prompting, "PATIENCE_S", 0.05)
    gone, again = (ask(member(name), text) for name, text in (("third", "cup"), ("fourth", "bowl")))
    assert (gone.version, gone.silent, again.silent) == (5, ("detector",), ())   # a node that is gone is waited for once
    assert (refused.version, refused.refused) == (3, {"detector": "expected short prompts, got long ones; cut them"})
    assert (taken.version, taken.taken) == (4, ("detector",))
