"""Fast implementation of the network for processors: same weights and result, with the arithmetic reordered.

The modules of LightMedSegLib.network remain the definition, for training and as the reference in tests; this package
reads their weights once and computes the same function with fewer passes over memory:

- activations stay channels-last from the first to the last layer; convolutions always go to oneDNN, with weights in its
  own order,
- large tensors reuse their memory (memory.py), coarse maps are enlarged a few planes at a time (enlarged.py), and
  logits are returned a few planes at a time (head.py), so that the full tensors never exist,
- consecutive 1x1x1 convolutions are merged into one, modulation is merged into the normalisation before it and
  squeeze-excitation into the weights after it,
- position profiles are added as one plane and one line, and operations are in place where possible.
"""

from __future__ import annotations

from LightMedSegLib.network.cpu.network import FastLightMedSeg, accelerate

__all__ = ["FastLightMedSeg", "accelerate"]
