"""The tags of DICOM slices, and the stack that the slices make."""
