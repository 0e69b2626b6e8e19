"""The Segment part of the panel: volume, model, run and result."""
