"""A training step on CUDA: recorded, compiled, with batches made ahead, on one device or several."""
