"""Scans of a BIDS dataset, and their results as a BIDS derivative."""
