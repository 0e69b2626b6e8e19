"""Training of LightMedSeg models from folders of labelled volumes.

The command is ``lightmedseg train``; ``python -m LightMedSegLib.training`` is the same program and
also runs without SimpleITK, on a folder that ``--prepare-only`` wrote elsewhere.
Importing this package imports neither torch nor SimpleITK.
"""
