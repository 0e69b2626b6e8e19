"""Results and models for other programs: DICOM SEG, ONNX and MONAI bundles."""
