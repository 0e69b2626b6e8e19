"""Outputs: checks before the computation, and a fallback for a result that cannot be written."""
