"""Closed surfaces of segments, computed in the background."""
