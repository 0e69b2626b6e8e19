"""Fine-tuning of installed models on corrected segmentations, with a test before anything is adopted.

The path of a case: :mod:`cases.building` resamples a volume and its correction to the model grid,
:mod:`cases.store` stores it without identity, :mod:`job` trains and cross-validates, :mod:`gate` judges, and
:mod:`versions` stores the result as a new immutable version; :func:`versions.adopt` makes it the version in use.
Importing this package imports neither torch nor SimpleITK.
"""
