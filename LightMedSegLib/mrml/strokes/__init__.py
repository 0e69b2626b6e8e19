"""Strokes of the Segment Editor as prompts, and their completions as blocks of a segment."""
