"""The tags of DICOM slices, and their stack."""
