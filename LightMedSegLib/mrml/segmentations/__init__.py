"""Segmentation nodes: writing labels, reading them back, and what a result remembers."""
