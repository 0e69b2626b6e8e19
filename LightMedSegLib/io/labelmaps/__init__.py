"""Labelmaps from files: one set of rules for training, fine-tuning, evaluation, DICOM SEG and the panel.

Values are whole numbers; the names of segments decide what the values mean; a labelmap that was cut to its segments
is placed on the grid of its volume; an empty labelmap is a labelmap.
"""
