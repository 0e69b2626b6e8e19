"""Fine-tuning of installed models on corrected segmentations, with a test before anything is adopted.

The way of a case: :mod:`case_building` brings a volume and its correction onto the model's grid,
:mod:`case_store` keeps it without identity, :mod:`job` trains on the cases by turns, :mod:`gate` judges, and
:mod:`versions` keeps the result as a new immutable version that :func:`versions.adopt` makes the one in use.
Importing this package imports neither torch nor SimpleITK.
"""

from __future__ import annotations
