"""Small fakes of what slicer-core does not have: package installation, PyTorch extension, sample data, translation."""
