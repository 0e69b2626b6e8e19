"""Layers that several blocks of the network share."""
