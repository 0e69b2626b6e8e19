"""Corrected cases: built from a scan and its segmentation, de-identified, stored and chosen."""
