"""The module's panel in 3D Slicer: its sections, its words and what it remembers. Imports qt and slicer, never torch.

Slicer takes every Python file beside LightMedSeg.py for a module of its own, so the parts of the panel are here.
"""
