"""How regularly messages arrive."""

from __future__ import annotations

from collections import deque

import numpy as np

from seesay.nodes.plain import dumps
from seesay.pubsub import Stats


class Rate:
    """Arrival times, seconds, of the last `window` seconds."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._times: deque[float] = deque()

    def add(self, seconds: float) -> None:
        self._times.append(seconds)
        while self._times[0] < seconds - self._window:
            self._times.popleft()

    def line(self, expected_hz: float, stats: Stats, as_json: bool) -> str:
        """One line for a person, or a JSON object for a program."""
        gaps = np.diff(self._times)
        rate = float(1 / gaps.mean()) if len(gaps) and gaps.mean() > 0 else 0.0
        worst, spread = (float(gaps.max()), float(gaps.std())) if len(gaps) else (0.0, 0.0)
        if as_json:
            return dumps({"rate_hz": rate, "expected_hz": expected_hz, "worst_gap_s": worst, "std_s": spread, "messages": stats.received,
                          "lost": stats.gaps, "alive": stats.alive})
        if not len(gaps):
            return f"no rate yet ({stats.received} messages)"
        wanted = f" of {expected_hz:g} expected" if expected_hz else ""
        jitter = f"worst gap {worst * 1e3:.0f} ms, std {spread * 1e3:.1f} ms"
        return f"{rate:.2f} Hz{wanted}, {jitter}, {stats.received} messages, {stats.gaps} lost"
