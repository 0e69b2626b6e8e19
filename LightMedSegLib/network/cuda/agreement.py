"""Agreement of the results of two implementations of a network."""

from __future__ import annotations

from torch import Tensor

LARGEST_ERROR = 1e-2
"""Largest error of the logits relative to the expected ones (RMS); that of float16 is a few thousandths."""

LEAST_AGREEMENT = 0.99
"""Share of voxels with the same label; before training, classes lie closer together than they ever do afterwards."""


def disagreement(found: Tensor, expected: Tensor) -> str:
    """Return what is wrong with the logits found, (B, classes, z, y, x), in a few words; "" where they agree."""
    error = float((found - expected).norm() / expected.norm())
    # Written so that NaN is refused too.
    if not error <= LARGEST_ERROR:
        return f"its logits differ by {error:.1%}"
    alike = float((found.argmax(1) == expected.argmax(1)).float().mean())
    return "" if alike >= LEAST_AGREEMENT else f"only {alike:.1%} of its labels agree"
