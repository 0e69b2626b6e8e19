"""Synthetic images, generated from labelmaps during training."""
