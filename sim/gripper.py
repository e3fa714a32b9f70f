"""Measures of the gripper that its model, its driver and the skills share. Needs no simulator."""

from __future__ import annotations

MAX_OPENING = 0.095
"""Greatest distance between the fingers, metres."""
MIN_OPENING = 0.002
TIP = 0.010
"""Distance from the tool point down to the finger tips, metres."""
FINGER_LENGTH = 0.105
"""Length of the fingers below the palm, metres: an object under the palm may be this tall."""
HOME = (0.0, 0.42, 0.45)
"""Tool position outside the view of both cameras, metres in the world."""
