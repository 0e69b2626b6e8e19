"""A training step on CUDA: CUDA graph, compiled form, prefetched batches, on one device or several."""
