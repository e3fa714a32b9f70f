"""The two ends of each middleware in the frame benchmark, in processes of their own.

    python -m benchmarks.bus_ends launch FOLDER...        # as benchmarks.bus does it
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import bus_peers as peers
from benchmarks.bus_load import SIDES, Camera, Sink, Task

Ends = tuple[Callable[[Task, Camera], None], Callable[[Task, Sink], None]]


def send_ours(task: Task, camera: Camera) -> None:
    from seesay.bus import Bus
    from seesay.messages import Header, Image
    from seesay.topics import IMAGE

    name = Path(task.folder).name
    with Bus(Path(task.shared, "bus"), f"camera_{name}") as bus:
        publisher = bus.publisher(IMAGE.of(camera=name))

        def send(pixels: Any) -> None:
            if task.in_place:
                with publisher.loan(*SIDES, "rgb8", Header(1)) as place:
                    camera.stamp(place.reshape(-1))
            else:
                publisher.send(Image(Header(1), "rgb8", pixels.reshape(*SIDES, 3)))

        camera.drive(send)


def receive_ours(task: Task, sink: Sink) -> None:
    from seesay.bus import Bus
    from seesay.topics import IMAGE

    name = Path(task.folder).name
    with Bus(Path(task.shared, "bus"), f"consumer_{name}_{os.getpid()}") as bus:
        subscriber = bus.subscriber(IMAGE.of(camera=name))
        while not sink.done:
            received = subscriber.take(60, view=True)
            if received is not None:
                sink(received.message.data.reshape(-1), received.intact)


ENDS: dict[str, Ends] = {
    "ours": (send_ours, receive_ours),
    "iceoryx2": (peers.send_iceoryx2, peers.receive_iceoryx2),
    "dora": (peers.send_dora, peers.receive_dora),
    "dora_tuned": (peers.send_dora, peers.receive_dora),
    "zenoh_shm": (peers.send_zenoh, peers.receive_zenoh),
    "zenoh_tcp": (peers.send_zenoh, peers.receive_zenoh),
    "ecal": (peers.send_ecal, peers.receive_ecal),
    "lcm": (peers.send_lcm, peers.receive_lcm),
    "imagezmq": (peers.send_imagezmq, peers.receive_imagezmq),
    "imagezmq_pubsub": (peers.send_imagezmq, peers.receive_imagezmq),
    "pyzmq": (peers.send_pyzmq, peers.receive_pyzmq),
}


def launch(folders: list[str]) -> int:
    """Run all consumers and cameras until they end by themselves; dora starts its own."""
    processes = []
    for folder in folders:
        task = Task.load(folder)
        if task.name.startswith("dora"):
            processes.append(subprocess.Popen([Path(sys.executable).with_name("dora"), "run", _dataflow(task)], cwd=folder))
            continue
        ends = [["receive", folder, str(number)] for number in range(task.consumers)] + [["send", folder]]
        processes += [subprocess.Popen([sys.executable, "-m", "benchmarks.bus_ends", *end]) for end in ends]
    return max(abs(process.wait()) for process in processes)


def _dataflow(task: Task) -> str:
    me = f"path: {sys.executable}\n    args: -m benchmarks.bus_ends"
    text = f"nodes:\n  - id: cam\n    {me} send {task.folder}\n    outputs: [cam]\n"
    text += f"  - id: model\n    {me} receive {task.folder} 0\n"
    text += f"    inputs:\n      cam:\n        source: cam/cam\n        queue_size: {task.depth}\n"
    path = Path(task.folder, "dataflow.yml")
    path.write_text(text)
    return str(path)


def main() -> None:
    role, folder, *rest = sys.argv[1:]
    if role == "launch":
        sys.exit(launch([folder, *rest]))
    task = Task.load(folder)
    send, receive = ENDS[task.name]
    if role == "send":
        send(task, Camera(task))
    else:
        receive(task, Sink(task, rest[0]))


if __name__ == "__main__":
    main()
