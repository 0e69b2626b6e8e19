"""The bridge between a 3D Slicer scene and the library.

Modules: volumes, regions and segmentations.reading copy data out of the scene; segmentations.writing, hierarchy and
statistics add results to it; jobs runs the library in a worker thread.
"""
