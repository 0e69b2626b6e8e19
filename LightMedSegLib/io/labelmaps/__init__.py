"""Labelmaps from files: one set of rules for training, fine-tuning, evaluation, DICOM SEG and the panel.

Values are whole numbers; the names of segments define the labels; a labelmap that was cropped to its segments is placed
on the grid of its volume; an empty labelmap is valid.
"""
