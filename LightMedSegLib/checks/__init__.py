"""Warnings before and after a run: whether a scan suits the model, and whether the result is plausible."""
