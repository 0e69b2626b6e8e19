"""The values of prompts in their channels. Without PyTorch, so that a session can begin before it is loaded."""

from __future__ import annotations

NEWEST = 1.0
"""Value of the newest stroke in its channel; each later stroke multiplies it by DECAY, but not below OLDEST."""
DECAY = 0.8
OLDEST = 0.4
POINT_RADIUS = 2
"""Radius of the ball, in voxels of the window, that stands for a point."""
