"""The bridge between a 3D Slicer scene and the library: the only part that imports slicer and vtk.

Modules: volumes, regions and reading take data out of the scene; segmentations, hierarchy and
statistics put results into it; worker and job run the library beside the user interface.
"""
