"""Bootstrap intervals of means over cases, bias-corrected and accelerated (BCa).

Efron, Better bootstrap confidence intervals, Journal of the American Statistical Association 82, 171 (1987). A resample
draws whole cases, so the labels of one case stay together. scipy.stats.bootstrap gives the same intervals for a single
mean (a test compares them); it is no dependency of the program, and has no means of labels that some cases lack.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 10_000
CONFIDENCE = 0.95

_NORMAL = NormalDist()
_AT_ONCE = 2**22
"""Weights of a block of resamples, for a few tens of megabytes."""


def label_means(values: Floats, weights: Floats) -> Floats:
    """Return weighted means over cases of values (cases, labels), and last the mean of these means over the labels.

    weights: (resamples, cases), how often each counts. The result is (resamples, labels + 1), nan where no case counts;
    a label without a case in a resample is left out of the resample's mean over the labels.
    """
    present = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        means = (weights @ np.where(present, values, 0.0)) / (weights @ present.astype(np.float64))
    known = np.isfinite(means)
    with np.errstate(invalid="ignore"):
        overall = np.where(known, means, 0.0).sum(axis=1) / known.sum(axis=1)
    return np.column_stack([means, overall])


def intervals(values: Floats, resamples: int = RESAMPLES, seed: int = 0) -> tuple[Floats, Floats]:
    """Return the lower and upper ends of the 95 % intervals of label_means, each (labels + 1).

    values: (cases, labels), nan where a case does not count for a label. The ends are nan for a mean of fewer than two
    cases, and equal the mean where all cases agree.
    """
    count = len(values)
    if count < 2:
        return (np.full(values.shape[1] + 1, np.nan),) * 2
    estimate = label_means(values, np.ones((1, count)))[0]
    drawn = _resampled(lambda weights: label_means(values, weights), count, resamples, seed)
    left_out = label_means(values, np.ones((count, count)) - np.eye(count))
    ends = [_ends(*column) for column in zip(estimate, drawn.T, left_out.T, strict=True)]
    low, high = np.array(ends).T
    return low, high


def _resampled(statistic: Callable[[Floats], Floats], count: int, resamples: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    block = max(1, _AT_ONCE // count)
    sizes = [min(block, resamples - first) for first in range(0, resamples, block)]
    shares = np.full(count, 1.0 / count)
    return np.concatenate([statistic(random.multinomial(count, shares, size).astype(np.float64)) for size in sizes])


def _ends(estimate: float, drawn: Floats, left_out: Floats) -> tuple[float, float]:
    """Return both ends of one mean: quantiles of its resamples, moved by their bias and by the skewness of the cases.

    left_out: the mean without each case in turn.
    """
    drawn = drawn[np.isfinite(drawn)]
    # The last case of a label has no mean without it.
    if not np.isfinite(left_out).all() or not len(drawn):
        return np.nan, np.nan
    below = (np.mean(drawn < estimate) + np.mean(drawn <= estimate)) / 2
    if np.ptp(drawn) <= 1e-12 or not 0.0 < below < 1.0:
        return float(drawn.min()), float(drawn.max())
    bias = _NORMAL.inv_cdf(float(below))
    gaps = left_out.mean() - left_out
    spread = float((gaps**2).sum())
    skewness = float((gaps**3).sum()) / (6.0 * spread**1.5) if spread > 0 else 0.0
    shares = []
    for tail in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2):
        moved = bias + _NORMAL.inv_cdf(tail)
        shares.append(_NORMAL.cdf(bias + moved / (1.0 - skewness * moved)))
    low, high = np.quantile(drawn, shares)
    return float(low), float(high)
