"""The time of day is set by ten seconds while a system runs: bus, recorder and services go by clocks that nobody sets."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from seesay.bag.reader import BagReader
from seesay.bag.recorder import Recorder
from seesay.bus import Bus
from seesay.clock import MonotonicClock
from seesay.messages import Instruction, TaskResult
from seesay.services import Service
from tests.bag.things import FRONT, picture, read

LONG = 30.0
ECHO = Service("echo", Instruction, TaskResult)


def set_time_of_day(patch: pytest.MonkeyPatch, by_s: int) -> None:
    time_s, time_ns = time.time, time.time_ns
    patch.setattr(time, "time", lambda: time_s() + by_s)
    patch.setattr(time, "time_ns", lambda: time_ns() + by_s * 10**9)


@pytest.mark.parametrize("step_s", [10, -10])
def test_a_step_of_the_time_of_day_changes_nothing(session: Path, tmp_path: Path, step_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = MonotonicClock()
    with Bus(session, "camera") as camera, Bus(session, "record") as bus:
        pictures, seen = camera.publisher(FRONT), bus.subscriber(FRONT)
        camera.service(ECHO, lambda request: TaskResult(request.header, request.id, "done", request.text))
        recorder = Recorder(bus, clock, tmp_path / "bag")
        assert pictures.wait_for_subscribers(2, LONG)
        began = time.time_ns()
        for number in range(1, 21):
            if number == 11:
                under_way = bus.client(ECHO).call_async(Instruction(picture().header, "early", "x"), LONG)
                set_time_of_day(monkeypatch, step_s)
                assert under_way.result(LONG).instruction_id == "early"
            pictures.send(picture(number, clock.now_ns()))
            assert seen.take(LONG) is not None
            while recorder.messages < number:
                recorder.step(0.05)
            assert bus.client(ECHO).call(Instruction(picture().header, str(number), "x"), LONG).instruction_id == str(number)
        stats = seen.stats
        assert (stats.alive, stats.gaps, stats.received) == (True, 0, 20)
        assert stats.stamp_age_p99_ms is not None
        assert 0 < stats.stamp_age_p99_ms < 9_000
        recorder.close()
    found = read(tmp_path / "bag")
    assert [one.message.header.sequence for one in found] == list(range(1, 21))
    times = [one.log_ns for one in found]
    assert times == sorted(times)
    info = BagReader(tmp_path / "bag").info()
    assert info.duration_s < 9
    assert abs(info.start_ns - began) < LONG * 10**9
