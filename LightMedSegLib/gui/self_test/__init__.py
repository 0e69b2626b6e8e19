"""The module's self test inside Slicer, step by step as a user works."""
