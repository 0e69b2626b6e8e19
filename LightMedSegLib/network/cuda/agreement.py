"""Agreement of the results of two implementations of a network."""

from __future__ import annotations

from torch import Tensor

LARGEST_ERROR = 1e-2
"""Largest error of the logits relative to the expected ones (RMS); that of float16 is a few thousandths."""

LEAST_AGREEMENT = 0.999
"""Smallest share of voxels of a scan with the same label."""

LEAST_ON_NOISE = 0.99
"""The same for noise, in which the logits of the classes lie closer together than in any scan."""


def disagreement(found: Tensor, expected: Tensor, least: float = LEAST_AGREEMENT) -> str:
    """Return what is wrong with the logits found, (B, classes, z, y, x), in a few words; "" where they agree."""
    error = float((found - expected).norm() / expected.norm())
    # Written so that NaN is refused too.
    if not error <= LARGEST_ERROR:
        return f"its logits differ by {error:.1%}"
    alike = float((found.argmax(1) == expected.argmax(1)).float().mean())
    return "" if alike >= least else f"only {alike:.2%} of its labels agree"
