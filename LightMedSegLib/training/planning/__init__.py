"""Plans of training runs by what the scans show: voxels, patch, intensities, split, batch and steps."""
