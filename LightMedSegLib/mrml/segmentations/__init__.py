"""Segmentation nodes: writing labels, reading them back, and the record of a result."""
