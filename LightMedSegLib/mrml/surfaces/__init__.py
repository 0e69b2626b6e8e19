"""Closed surfaces of segments, made beside the user interface."""
