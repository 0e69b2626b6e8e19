"""Synthetic images, made from labelmaps while training runs."""
