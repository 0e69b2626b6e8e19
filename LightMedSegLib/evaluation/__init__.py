"""Agreement of a segmentation with a reference."""
