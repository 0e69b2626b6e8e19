"""Segments that are being corrected, kept on the disk for the case of a crash and brought back into a scene."""
