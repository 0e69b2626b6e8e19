"""What every room may use: errors, progress, geometry, labels, devices and the loading of PyTorch."""
