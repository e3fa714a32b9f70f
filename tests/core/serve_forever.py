"""A program for the tests: serve "once" (each run is written to a file) and "again" until killed. Arguments: directory, file."""

import os
import sys
import time

from seesay.bus import Bus
from seesay.messages import Instruction, TaskResult
from seesay.services import Service

ONCE = Service("once", Instruction, TaskResult, depth=1000)
AGAIN = Service("again", Instruction, TaskResult, depth=1000, idempotent=True)

if __name__ == "__main__":
    runs = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def once(request: Instruction) -> TaskResult:
        os.write(runs, f"{request.id}\n".encode())
        return answer(request)

    def answer(request: Instruction) -> TaskResult:
        return TaskResult(request.header, request.id, "done", request.text)

    with Bus(sys.argv[1], "server") as bus:
        bus.service(ONCE, once)
        bus.service(AGAIN, answer)
        while True:
            time.sleep(1000)
