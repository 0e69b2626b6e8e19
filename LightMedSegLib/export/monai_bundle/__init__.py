"""A model as a bundle for MONAI, which runs without this program.

``export`` writes the bundle: configuration files (``configuration``), weights, and copies of the parts of this library
that it needs (``sources``). ``parts`` is what MONAI calls in it.
"""
