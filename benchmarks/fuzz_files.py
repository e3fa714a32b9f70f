"""The decoders of files and of what programs answer, for `benchmarks.fuzz`, and valid examples of what each reads."""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Annotated
from unittest import mock

import cv2
import numpy as np
from mcap.writer import CompressionType, Writer

from seesay import keys, messages
from seesay.bag._definitions import schema_text
from seesay.bag.coder import Coder
from seesay.bag.reader import CONFIGURATION, LOSSES, RECORDING, BagReader
from seesay.bag.repair import repair
from seesay.config import LIVE, between, load_launch, parse_overrides
from seesay.errors import WireError
from seesay.messages import Header, Image, Objects, ParameterRequest, Source
from seesay.nodes import calibration as camera_calibration
from seesay.nodes.commands.explain import load_steps
from seesay.nodes.commands.shell import make_message
from seesay.nodes.parameters import Parameters
from seesay.perception import calibration as scores
from seesay.perception.memory_files import PictureFiles
from seesay.perception.pictures import read_picture
from seesay.perception.prompts import full
from seesay.planner import calibration as affordances
from seesay.planner import conformal
from seesay.planner.instructions import check_instruction
from seesay.planner.pursuit import agenda_of
from seesay.planner.server_scorer import ServerScorer
from seesay.planner.skills import load_library
from seesay.topics import IMAGE, OBJECTS

load = functools.cache(load_library)
HEADER = Header(5, 6, "front_optical", source=Source("front", 6, 5))
ROOT = Path(__file__).resolve().parents[1]
LAUNCH = b"""[launch]
name = "tabletop"
clock = "sim"
[nodes.detector]
run = "detector"
threads = 1
model = "embedded"
box = [1, 2.5, { a = "b" }]
when = 2026-01-02T03:04:05
"""
SKILLS = b"""name = "x"
errands = [{ ends = "at", place = "corner", words = ["tuck"], alone = true, plain = "Put {thing} at the {place}." }]
words = { names = { brick = "red block" }, kinds = { toy = ["red block"], thing = [] } }
objects = { blocks = ["red block"] }
places = { corner = [0.1, 0.2, 0.3] }
place_groups = { corners = ["corner"] }
reach = [-1, -1, 1, 1]
[done]
phrase = "done"
[dialogue]
introduction = "I help."
[[dialogue.examples]]
instruction = "put it away"
steps = ["pick up the red block"]
[[skills]]
name = "pick"
gripper = "empty"
picks = "block"
success = 0.9
forms = [{ phrase = "pick up the {block}", arguments = { block = "blocks" } }]
"""
PLAN = {
    "steps": [{
        "header": {"stamp_ns": 1}, "instruction_id": "a", "step": 1, "instruction": "put it away", "choice": 0, "candidates": [{
            "phrase": "done", "skill": "done", "arguments": {"a": "b"}, "log_p_language": -1, "affordance": 0.5, "log_score": None,
            "probability": 1,
        }],
    }]
}  # fmt: skip
ANSWER = {
    "choices": [
        {"index": index, "text": "".join(tokens), "logprobs": {"tokens": tokens, "token_logprobs": [None, *[-0.5] * (len(tokens) - 1)]}}
        for index, tokens in enumerate((["I", "x"], ["I", " put", "x"], ["I", " it", "x"]))
    ],
    "usage": {"prompt_tokens": 5},
}
CALIBRATIONS = [
    b"\0" + (ROOT / "launch" / "calibration.toml").read_bytes(),
    b"\1" + json.dumps({"default": [1.5, -0.25], "prompts": {"red block": [2, 1e0]}}).encode(),
    b"\2" + json.dumps({"skills": {"pick": {"raw": [0, 0.5, 1], "share": [0.1, 0.5, 0.9]}}, "done": {"after": {"pick": 0.5}}}).encode(),
    b"\3" + json.dumps(
        {"model": "m", "length": "sum", "prompt": "ab", "n": 20, "temperature": 1.5, "quantiles": {"0.80": 0.5}}
    ).encode(),
]  # fmt: skip

_scratch = Path(tempfile.mkdtemp(prefix="seesay-fuzz-")) / "input"
_memory = _scratch.with_name("memory")


@dataclass(frozen=True)
class _Config:
    """Parameters of every kind that nodes have."""

    threshold: Annotated[float, between(-1, 1), LIVE] = -1.0
    batch: Annotated[int, between(1, 256)] = 1
    model: str = "embedded"
    compiled: bool = False
    cameras: tuple[str, ...] = ("front",)
    priority: dict[str, float] = field(default_factory=dict)


def _file(read: Callable[[Path], object]) -> Callable[[bytes], object]:
    def write_and_read(data: bytes) -> None:
        _scratch.write_bytes(data)
        read(_scratch)

    return write_and_read


def _pair(path: Path) -> None:
    path.chmod(0o600)
    keys.load_pair(path)


def _recording(path: Path) -> None:
    reader = BagReader(path)
    reader.info()
    for _ in reader.messages():
        pass
    if reader.unread:
        raise WireError("; ".join(reader.unread.values()))


def _recordings() -> list[bytes]:
    """Files of one message, without the checksums that a changed byte would not get past."""
    files = []
    image = Image(HEADER, "mono8", np.zeros((2, 2), np.uint8))
    for chunked, compression, topic, message in (
        (False, CompressionType.NONE, IMAGE.of(camera="front"), image),
        (False, CompressionType.NONE, OBJECTS, Objects(HEADER, (), ())),
        (True, CompressionType.NONE, OBJECTS, Objects(HEADER, (), ())),
        (True, CompressionType.ZSTD, OBJECTS, Objects(HEADER, (), ())),
        (True, CompressionType.LZ4, OBJECTS, Objects(HEADER, (), ())),
    ):
        output = BytesIO()
        writer = Writer(output, compression=compression, use_chunking=chunked, enable_crcs=False)
        writer.start("ros2", "seesay")
        writer.add_metadata(RECORDING, {"offset_ns": "5", "clock": "sim"})
        writer.add_metadata(CONFIGURATION, {"detector": '{"threshold": 0.5}'})
        writer.add_metadata(LOSSES, {topic.name: '{"dropped": 1}'})
        for channel, number, data in Coder().encode(topic, message):
            schema = writer.register_schema(channel.ros_type, "ros2msg", schema_text(channel.ros_type).encode())
            placed = writer.register_channel(channel.ros_topic, "cdr", schema, {"seesay_topic": channel.topic, "seesay_part": channel.part})
            writer.add_message(placed, 1, bytes(data), 1, number)
        writer.finish()
        files.append(output.getvalue())
    return files


def _remembered(data: bytes) -> None:
    """A file of the visual memory; one that is left out counts as refused."""
    _memory.mkdir(exist_ok=True)
    (_memory / "picture_5_front.zip").write_bytes(data)
    if not list(PictureFiles(_memory).load(1 << 30)):
        raise WireError("left out")


def _memories() -> list[bytes]:
    shutil.rmtree(_memory, ignore_errors=True)
    embeddings = messages.Embeddings(
        HEADER, "m", 16, 16, np.ones((1, 8), np.int8), np.ones(1, np.float32), np.ones(1, np.float32), np.array([[0, 0, 1, 1]], np.float32)
    )
    PictureFiles(_memory).save(Source("front", 6, 5), messages.Remembered(HEADER, embeddings))
    found = [path.read_bytes() for path in _memory.iterdir()]
    shutil.rmtree(_memory)
    return found


def _calibration(data: bytes) -> None:
    kind = data[0] % 4 if data else 0
    path = _scratch.with_name(scores.FILE)
    path.write_bytes(data[1:])
    if kind == 0:
        camera_calibration.load(path, "front")
    elif kind == 1:
        scores.load_calibration(path.parent)
    elif kind == 2:
        affordances.load_calibration(path)
    else:
        conformal.load_help(path)


def _answer(data: bytes) -> None:
    """What a language model's server answers to one request for scores."""
    with mock.patch.object(urllib.request, "urlopen", return_value=BytesIO(data)):
        ServerScorer("http://localhost/v1", "m").score("I", [" put", " it"], "")


def _parameters(data: bytes) -> None:
    name, _, text = data.decode(errors="replace").partition("=")
    Parameters(_Config(), "node x").answer(ParameterRequest(Header(0), {name: text}))


def _words(data: bytes) -> None:
    """What is typed: settings of a launch file, and a message to be published."""
    text = data[1:].decode(errors="replace")
    if data[:1] < b"\x80":
        parse_overrides([text])
    else:
        make_message(messages.ArmState if data[:1] < b"\xc0" else messages.PromptSet, text, "message")


def _instruction(data: bytes) -> None:
    """What a person asks for, at the table or in the kitchen."""
    library, text = load(("tabletop", "kitchen")[data[:1] > b"\x7f"]), data[1:].decode(errors="replace")
    agenda_of(text, library)
    check_instruction(text, library)


def _pictures() -> list[bytes]:
    ramp = np.add.outer(np.arange(24), np.arange(32)).astype(np.uint8)
    files = [(ending, np.stack([ramp] * 3, axis=2)) for ending in (".png", ".jpg", ".bmp", ".ppm", ".webp", ".tif")]
    files += [(".png", np.stack([ramp] * 4, axis=2)), (".png", ramp.astype(np.uint16))]
    return [cv2.imencode(ending, picture)[1].tobytes() for ending, picture in files]


TARGETS: dict[str, Callable[[bytes], object]] = {
    "launch": _file(load_launch),
    "keys": _file(keys.load_public),
    "pair": _file(_pair),
    "recording": _file(_recording),
    "repair": _file(repair),
    "remembered": _remembered,
    "calibration": _calibration,
    "skills": _file(load_library),
    "plan": _file(load_steps),
    "picture_file": _file(read_picture),
    "answer": _answer,
    "parameters": _parameters,
    "prompts": lambda data: full([data.decode(errors="replace")]),
    "words": _words,
    "instruction": _instruction,
}
EXAMPLES: dict[str, Callable[[], list[bytes]]] = {
    "launch": lambda: [LAUNCH],
    "keys": lambda: [b'# x\npublic = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"\nsecret = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"\n'],
    "pair": lambda: EXAMPLES["keys"](),
    "recording": _recordings,
    "repair": lambda: [file[: -len(file) // 4] for file in _recordings()],
    "remembered": _memories,
    "calibration": lambda: CALIBRATIONS,
    "skills": lambda: [SKILLS],
    "plan": lambda: [json.dumps(PLAN).encode()],
    "picture_file": _pictures,
    "answer": lambda: [json.dumps(ANSWER).encode()],
    "parameters": lambda: [
        b"threshold=0.5", b"batch=3", b'model="a"', b"compiled=true", b'cameras=["a", "b"]', b'priority={"a": 1.5}',
    ],
    "prompts": lambda: [b"a red block", b"[a table [a cup, a bowl (full, empty)]]", b"[a face [a nose, an eye] (happy, sad)]"],
    "words": lambda: [
        b"\0detector.threshold=0.3", b"\0a=[1, {b = 2026-01-02}]", b"\xff{prompts: [a cup, {text: a bowl, threshold: 0.5}], version: 3}",
        b"\x80{position: [0, 0, 1], yaw: 0, opening: 0.5, grip_force: 0, speed: 0.1}",
    ],
    "instruction": lambda: [
        b"\0stack all the blocks except the red one, then clear the middle", b"\xffthrow away two apples and bring me a tea but not a coke",
    ],
}  # fmt: skip
