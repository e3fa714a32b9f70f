"""Named places of the table, as in SayCan's tabletop: `(x, y)` metres in the world frame, on the table."""

from __future__ import annotations

PLACES: dict[str, tuple[float, float]] = {
    "top left corner": (-0.17, 0.12),
    "top right corner": (0.17, 0.12),
    "bottom left corner": (-0.17, -0.12),
    "bottom right corner": (0.17, -0.12),
    "middle": (0.0, 0.0),
    "top side": (0.0, 0.12),
    "bottom side": (0.0, -0.12),
    "left side": (-0.17, 0.0),
    "right side": (0.17, 0.0),
}

CORNERS = ("top left corner", "top right corner", "bottom right corner", "bottom left corner")
"""The corners, clockwise as seen from above."""
