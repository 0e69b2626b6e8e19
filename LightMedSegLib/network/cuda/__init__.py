"""The network on a CUDA device: as a CUDA graph, and compiled in the background where possible."""
