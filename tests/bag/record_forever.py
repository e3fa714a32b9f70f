"""A process that records a camera in memory; says how many pictures are on disk. For tests that kill it or fill its disk."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from seesay.bag.recorder import Recorder
from seesay.bus import MemoryBus
from seesay.clock import MonotonicClock
from seesay.errors import BagError
from tests.bag.things import FRONT, picture, write


def main() -> int:
    camera = MemoryBus("camera")
    pictures = camera.publisher(FRONT)
    try:
        if len(sys.argv) > 3:   # the super-user may write anywhere; this user, perhaps, cannot import what is still missing
            with tempfile.TemporaryDirectory() as folder:
                write(Path(folder) / "bag", [(FRONT, picture(), 1)])
            os.setuid(int(sys.argv[3]))
        recorder = Recorder(camera.join("record"), MonotonicClock(), Path(sys.argv[1]), max_bytes=int(sys.argv[2]))
        for number in range(1, 1_000_000):
            pictures.send(picture(number, time.monotonic_ns(), height=120, width=160))
            recorder.step(0)
            print(number, time.monotonic_ns(), flush=True)
    except BagError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


sys.exit(main())
