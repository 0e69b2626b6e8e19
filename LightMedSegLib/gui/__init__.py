"""The panel of the module in 3D Slicer: sections, messages and settings. Imports qt and slicer, never torch.

Slicer loads every Python file beside LightMedSeg.py as a module of its own, so the parts of the panel are here.
"""
