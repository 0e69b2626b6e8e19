"""Correcting a segment by strokes: a promptable network completes what the user painted or erased."""
