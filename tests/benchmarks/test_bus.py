"""The benchmarks of the bus and of the services run, and their JSON has what is promised of it."""

from __future__ import annotations

import sys

from benchmarks import bus, services

SERVICE = "service_over_bare_zmq"
RATIOS = {"inplace_over_iceoryx2", "inplace_over_dora_tuned", "copy_over_dora_tuned", "cpu_over_best_peer", SERVICE}


def test_pictures_of_ours_and_of_a_peer() -> None:
    absent = {"iceoryx2": {"error": "could not be installed"}}
    found = bus.measure(dict.fromkeys(("ours", "pyzmq"), sys.executable), absent, 15, 1, 0, 20, skip=("slow", "many", "remote"))
    assert not [name for name in found if name.endswith("_error")]
    assert set(found["ours"]) == {"copy", "inplace"}
    assert found["peers"]["iceoryx2"] == found["slow_consumer"]["iceoryx2"] == absent["iceoryx2"]
    for row in (found["ours"]["copy"], found["ours"]["inplace"], found["peers"]["pyzmq"]["copy"]):
        assert "error" not in row
        assert 0 < row["got"] <= row["wanted"] == 15
        assert 0 < row["view_p50_us"] <= row["copied_p50_us"]
        assert 0 < row["camera_cpu_s"] < row["cpu_s"]
        assert 0 <= row["torn"] <= row["wanted"]
    assert set(found["ratios"]) >= RATIOS
    assert [name for name in sorted(RATIOS) if found["ratios"][name] is None] == sorted(RATIOS - {"cpu_over_best_peer", SERVICE})
    assert found["cpu_over_best_peer"] == found["ratios"]["cpu_over_best_peer"] > 0
    assert found[SERVICE] == found["ratios"][SERVICE] > 0
    assert found["header_codec_us"] > 0


def test_a_slow_consumer() -> None:
    row = bus.slow_consumer(["ours"], {"ours": sys.executable}, 2)["ours"]
    assert "error" not in row
    assert row["got"] > 0
    assert row["age_p99_ms"] > 0
    assert row["rss_growth_mb"] >= 0


def test_calls_at_once_and_through_kills() -> None:
    found = services.concurrent(50) | services.killed(40, 1)
    assert found["mismatched"] == found["unanswered"] == found["killed_mismatched"] == found["killed_run_twice"] == 0
    assert found["killed_answered"] + found["killed_timeouts"] == found["killed_calls"] == 40
    assert set(services.BARS) <= set(found) | {SERVICE}
