"""The network computed fast on a processor: same weights, same result, other order of the same arithmetic.

The modules of LightMedSegLib.network stay the definition, for training and as the witness in tests; this package
reads their weights once and computes what they compute with fewer passes over memory:

- activations stay channels-last from the first to the last layer; convolutions always go to oneDNN, with weights in its
  own order,
- large tensors have memory that stays (memory.py), coarse maps are enlarged a few planes at a time (enlarged.py), and
  so are logits handed over (head.py): all of them together never exist,
- 1x1x1 convolutions that meet are multiplied into one, modulation goes into the normalisation before it and
  squeeze-excitation into the weights after it,
- position profiles are added as one plane and one line, and whatever can be is done in place.
"""

from __future__ import annotations

from LightMedSegLib.network.cpu.network import FastLightMedSeg, accelerate

__all__ = ["FastLightMedSeg", "accelerate"]
