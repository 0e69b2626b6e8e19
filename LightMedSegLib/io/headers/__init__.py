"""What headers of image files say about the place of the voxels, and what decides where they disagree."""
