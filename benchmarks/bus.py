"""Pictures between two processes: SeeSay's bus and its peers by turns, 1080p RGB at 30 fps; the last line is one JSON object with --json.

    python -m benchmarks.bus --json                       # about 37 minutes on a quiet machine
    python -m benchmarks.bus --quick --json               # short runs, to see that everything works
    python -m benchmarks.bus --only ours iceoryx2 dora_tuned --skip slow

`dora` is as it comes, `dora_tuned` has a pool of shared memory that holds ten pictures. `copy` is a camera whose picture the transport
copies. `inplace` is one that writes into the transport's memory: there only the stamp is written, by dora's `send_output_raw` as by
iceoryx2's loans and ours, so that no side's time holds a copy. benchmarks/bus_load.py says what is timed. Processor time is of all
processes of a run but for their start, per picture that arrived; its ratio is the worse one of `inplace` over the best peer's `inplace`
and `copy` over the best peer's `copy`. A peer that fails twice is left alone and stands in the result with its error; a missed bar is no
failure.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import bus_remote, services
from benchmarks.bus_ends import ENDS
from benchmarks.bus_env import ROOT, alone, peers_python
from benchmarks.bus_load import SIDES, Task, session_processes
from benchmarks.common import show
from seesay.codec import Envelope, Ref, decode, encode
from seesay.messages import Header, Image, Instruction

IN_PLACE = ("ours", "iceoryx2", "dora_tuned")
POOL = {"DORA_NODE_SHM_POOL_SIZE": "67108864"}
START_S = 40
BARS = {
    "inplace_over_iceoryx2": ("<=", 2.0), "inplace_over_dora_tuned": ("<=", 0.6), "copy_over_dora_tuned": ("<=", 0.8),
    "cpu_over_best_peer": ("<=", 1.15), "service_over_bare_zmq": ("<=", 2.5), "age_p99_ms": ("<=", 1000 / 30 + 10),
    "rss_growth_mb": ("<=", 32), "remote_rate_over_wanted": (">=", 0.99), "four_cameras_age_max_ms": ("<=", 2000 / 30),
    "eight_consumers_over_one": ("<=", 1.2), "header_codec_us": ("<=", 5),
}  # fmt: skip
Row = dict[str, Any]


def run(name: str, python: str, cameras: int = 1, **wanted: Any) -> list[Row]:
    """Run `cameras` cameras of middleware `name`, each with its consumers; return each consumer's figures with its camera's.

    Raises RuntimeError with what the processes said if they fail or do not end.
    """
    with tempfile.TemporaryDirectory(prefix="bench") as shared:
        tasks = [Task(name, f"{shared}/{number}", shared, **wanted) for number in range(cameras)]
        for task in tasks:
            Path(task.folder).mkdir()
            task.save()
        environment = os.environ | {"PYTHONPATH": str(ROOT), "SEESAY_LOG": "ERROR", **(POOL if name == "dora_tuned" else {})}
        command = [*alone(), python, "-m", "benchmarks.bus_ends", "launch", *(task.folder for task in tasks)]
        log = Path(shared, "log.txt")
        with log.open("w") as output:
            process = subprocess.Popen(
                command, cwd=shared, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
            try:
                code: Any = process.wait(START_S + 1.5 * tasks[0].frames / tasks[0].fps)
            except subprocess.TimeoutExpired:
                code = "none within the time allowed"
            finally:
                _end(process)
        rows = [_row(task, number) for task in tasks for number in range(task.consumers)]
        if not all(rows):
            said = " ".join(log.read_text(errors="replace").split())[-600:]
            raise RuntimeError(f"exit status {code}: {said}")
        return rows


def _end(process: subprocess.Popen[bytes]) -> None:
    for pid in session_processes(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _row(task: Task, number: int) -> Row:
    try:
        camera = json.loads(Path(task.folder, "camera.json").read_text())
        sink = json.loads(Path(task.folder, f"sink{number}.json").read_text())
    except OSError:
        return {}
    cpu = {"cpu_ms_per_frame": 1000 * camera["cpu_s"] / sink["got"]} if sink["got"] else {}
    return {**sink, **camera, **cpu, "camera_cpu_ms_per_frame": 1000 * camera["camera_cpu_s"] / task.frames}


def frames(names: list[str], pythons: dict[str, str], count: int, repeats: int) -> dict[str, Row]:
    """For each middleware and way (`copy`, `inplace`) the medians over interleaved repeats."""
    ways = [(name, way) for name in names for way in ("copy", "inplace") if way == "copy" or name in IN_PLACE]
    found: dict[tuple[str, str], list[Row]] = {way: [] for way in ways}
    errors: dict[tuple[str, str], list[str]] = {way: [] for way in ways}
    for repeat in range(repeats):
        for name, way in ways:
            if len(errors[name, way]) == 2:
                continue
            say(f"repeat {repeat + 1} of {repeats}: {name}, {way}")
            try:
                found[name, way] += run(name, pythons[name], frames=count, in_place=way == "inplace")
            except RuntimeError as error:
                errors[name, way].append(str(error))
    result: dict[str, Row] = {name: {} for name in names}
    for (name, way), rows in found.items():
        failed = {"error": errors[name, way][-1]} if errors[name, way] else {}
        result[name][way] = {**median(rows), "wanted": count, "repeats": len(rows), **failed}
    return result


def slow_consumer(names: list[str], pythons: dict[str, str], seconds: float) -> dict[str, Row]:
    """For each middleware, what a consumer gets that takes 170 to 250 ms a picture, and how memory grows."""
    result: dict[str, Row] = {}
    for name in names:
        say(f"slow consumer: {name}")
        try:
            row = run(name, pythons[name], frames=int(30 * seconds), slow=True, depth=1, in_place=name == "ours")[0]
            ages = {f"age_{mark}_ms": row[f"view_{mark}_us"] and row[f"view_{mark}_us"] / 1000 for mark in ("p50", "p99")}
            result[name] = {**ages, "rss_growth_mb": row.get("rss_growth_mb"), "got": row["got"], "sent_hz": row["sent_hz"]}
        except RuntimeError as error:
            result[name] = {"age_p99_ms": None, "rss_growth_mb": None, "error": str(error)}
    return result


def many(count: int, repeats: int) -> Row:
    """Our bus with four cameras and four consumers, and by turns with one and with eight consumers of one camera."""
    say("four cameras")
    ages = [row["view_p100_us"] / 1000 for row in run("ours", sys.executable, 4, frames=count, in_place=True)]
    rows: dict[int, list[Row]] = {1: [], 8: []}
    for repeat in range(repeats):
        for consumers, found in rows.items():
            say(f"repeat {repeat + 1} of {repeats}: {consumers} consumers of one camera")
            found.append(run("ours", sys.executable, frames=count, in_place=True, consumers=consumers)[0])
    one, eight = (median(found)["camera_cpu_ms_per_frame"] for found in rows.values())
    cpu = {"one_consumer_camera_cpu_ms": one, "eight_consumers_camera_cpu_ms": eight, "eight_consumers_over_one": eight / one}
    return {"four_cameras_age_max_ms": max(ages), **cpu}


def header_codec() -> Row:
    """From a message to the wire and back in a warm loop: of one that is all header, and of a picture in shared memory up to its array."""
    words = Instruction(Header(1, 2, "front_optical"), "id", "put the red block in the green bowl")
    picture = Image(Header(1, 2, "front_optical"), "rgb8", np.zeros((*SIDES, 3), np.uint8))
    place = Ref(1, 2, 3, (picture.data.nbytes,))

    def once(message: Any, ref: Ref | None) -> None:
        head, *data = encode(message)
        wire = Envelope("camera", bytes(16), 7, 8).carrying(head, ref).pack()
        decode([Envelope.unpack(wire).header, *data], type(message), views=True)

    def best_us(work: Callable[[], None]) -> float:
        return min(timeit.repeat(work, number=5000, repeat=9)) / 5000 * 1e6

    return {"header_codec_us": best_us(lambda: once(words, None)), "picture_header_codec_us": best_us(lambda: once(picture, place))}


def median(rows: list[Row]) -> Row:
    """The median of each figure that is a number in all rows."""
    names = [name for name in rows[0] if all(isinstance(row.get(name), (int, float)) for row in rows)] if rows else []
    return {name: statistics.median(row[name] for row in rows) for name in names}


def ratios(table: dict[str, Row]) -> Row:
    """Our figures over the peers'; None where one of the two is missing."""

    def figure(name: str, way: str, what: str = "view_p50_us") -> float | None:
        value: float | None = table.get(name, {}).get(way, {}).get(what)
        return value

    def over(mine: float | None, other: float | None) -> float | None:
        return mine / other if mine and other else None

    result = {
        "inplace_over_iceoryx2": over(figure("ours", "inplace"), figure("iceoryx2", "inplace")),
        "inplace_over_dora_tuned": over(figure("ours", "inplace"), figure("dora_tuned", "inplace")),
        "copy_over_dora_tuned": over(figure("ours", "copy"), figure("dora_tuned", "copy")),
    }
    for way in ("inplace", "copy"):
        peers = [cpu for name in table if name != "ours" and (cpu := figure(name, way, "cpu_ms_per_frame"))]
        result[f"cpu_over_best_peer_{way}"] = over(figure("ours", way, "cpu_ms_per_frame"), min(peers, default=None))
    both = [result["cpu_over_best_peer_inplace"], result["cpu_over_best_peer_copy"]]
    return {**result, "cpu_over_best_peer": max((value for value in both if value), default=None)}


def measure(
    pythons: dict[str, str], failed: dict[str, Row], count: int, repeats: int, seconds: float, trips: int, skip: Collection[str] = ()
) -> Row:
    """All figures, by parts but those to `skip`. pythons: of each middleware; failed: of those that could not be installed, why."""
    table = {**(frames(list(pythons), pythons, count, repeats) if "frames" not in skip else {}), **failed}
    slow = {**(slow_consumer(list(pythons), pythons, seconds) if "slow" not in skip else {}), **failed}
    figures: Row = {}
    parts: dict[str, Callable[[], Row]] = {
        "header": header_codec,
        "many": lambda: many(count, repeats),
        "service": lambda: services.round_trips(trips, repeats),
        "remote": lambda: bus_remote.measure(count),
    }
    for part, work in parts.items():
        if part not in skip and "ours" in pythons:
            say(part)
            try:
                figures |= work()
            except (RuntimeError, SystemExit) as error:
                figures[f"{part}_error"] = str(error)
    quotients = ratios(table) | {"service_over_bare_zmq": figures.get("service_over_bare_zmq")}
    ours = table.get("ours", {})
    peers = {name: row for name, row in table.items() if name != "ours"}
    flat = {**figures, **quotients, **{k: v for k, v in slow.get("ours", {}).items() if k in BARS}}
    return flat | {"ours": ours, "peers": peers, "slow_consumer": slow, "ratios": quotients}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bus", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="60 pictures, one repeat, 10 s of a slow consumer")
    parser.add_argument("--only", nargs="+", choices=list(ENDS), default=list(ENDS), metavar="NAME", help=", ".join(ENDS))
    parser.add_argument("--skip", nargs="+", choices=["frames", "slow", "header", "many", "service", "remote"], default=[], metavar="PART",
                        help="parts to leave out: frames, slow, header, many, service, remote")
    options = parser.parse_args()
    count, repeats, seconds = (60, 1, 10.0) if options.quick else (300, 3, 60.0)
    names, failed = list(dict.fromkeys(options.only)), {}
    pythons = {"ours": sys.executable}
    try:
        pythons = dict.fromkeys(names, peers_python() if set(names) - {"ours"} else "") | pythons
    except (OSError, subprocess.CalledProcessError) as error:
        failed = {name: {"error": f"could not be installed: {error}"} for name in names if name != "ours"}
    trips = 300 if options.quick else 3000
    there = {name: pythons[name] for name in names if name not in failed}
    show("bus", measure(there, failed, count, repeats, seconds, trips, options.skip), options.json, BARS)


if __name__ == "__main__":
    main()
