"""The network on a CUDA device: recorded, and compiled in the background where that is possible."""
