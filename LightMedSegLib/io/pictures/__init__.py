"""Parts of pictures of segmentations: slices, overlays, letters and legends."""
