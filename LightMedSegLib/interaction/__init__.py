"""Correction by strokes: what a person marks, the network completes; what a person marked is never changed."""
