"""Shared by all rooms: errors, progress, geometry, labels, devices and the loading of PyTorch."""
