"""Geometry in the headers of image files, and the rules for headers that contradict themselves."""
