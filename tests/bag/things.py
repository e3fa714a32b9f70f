"""Messages to record, and recordings of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from seesay import topics
from seesay.bag.coder import Coder, Pictures
from seesay.bag.reader import RECORDING, BagReader, Recorded
from seesay.bag.writer import BagWriter
from seesay.messages import Encoding, Header, Image, Source
from seesay.topics import Topic

FRONT = topics.IMAGE.of(camera="front")
DAY_NS = 1_700_000_000 * 10**9


def picture(sequence: int = 1, stamp_ns: int = 0, encoding: Encoding = "rgb8", height: int = 24, width: int = 32) -> Image:
    """A picture that differs from every other one; its stamp, if not given, is a tenth of a second per picture."""
    stamp_ns = stamp_ns or sequence * 10**8
    shape = (height, width, 3) if encoding in ("rgb8", "bgr8") else (height, width)
    dtype = {"16UC1": "uint16", "32FC1": "float32"}.get(encoding, "uint8")
    data = np.random.default_rng(sequence).integers(0, 255, shape).astype(dtype)
    return Image(Header(stamp_ns, sequence, "front_optical", "monotonic", Source("front", sequence, stamp_ns)), encoding, data)


def write(path: Path, messages: list[tuple[Topic[Any], Any, int]], offset_ns: int = 0, pictures: Pictures = "raw", **limits: Any) -> None:
    """Record messages with the times of their arrival."""
    coder = Coder(offset_ns, pictures)
    writer = BagWriter(path, {RECORDING: {"clock": "monotonic", "offset_ns": str(offset_ns)}}, **limits)
    for topic, message, log_ns in messages:
        for entry in coder.encode(topic, message):
            writer.write(entry, log_ns + offset_ns, log_ns + offset_ns)
        writer.flush()
    writer.close()


def read(path: Path) -> list[Recorded]:
    return list(BagReader(path).messages())
