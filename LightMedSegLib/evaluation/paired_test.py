"""The permutation test of paired differences: could two methods that are equally good differ so much by chance?

If they are equal, the sign of each case's difference is arbitrary. The p-value is the share of all assignments of signs
(of 20,000 random ones, if there are more) whose mean is at least as far from zero. It needs no assumption about the
distribution, and tests the mean that is reported; see scipy.stats.permutation_test with samples as the type, to which a
test compares it.
"""

from __future__ import annotations

import numpy as np

from LightMedSegLib.evaluation.intervals import Floats, label_means

_MOST_CASES_EXACT = 14
_DRAWS = 20_000
_AT_ONCE = 2**22
_ROUNDING = 1e-12


def p_values(differences: Floats, seed: int = 0) -> Floats:
    """Return the two-sided p-value of each label, and last that of the mean over the labels: (labels + 1).

    differences: (cases, labels), nan where a case does not count. A case has one sign for all its labels. nan where no
    case counts.
    """
    count = len(differences)
    observed = np.abs(label_means(differences, np.ones((1, count)))[0])
    exact = count <= _MOST_CASES_EXACT
    draws = 2**count if exact else _DRAWS
    random = np.random.default_rng(seed)
    present = np.isfinite(differences)
    counts = present.sum(axis=0)
    filled = np.where(present, differences, 0.0)
    reached = np.zeros(differences.shape[1] + 1)
    for first in range(0, draws, block := max(1, _AT_ONCE // max(1, count))):
        numbers = np.arange(first, min(first + block, draws))
        bits = numbers[:, None] >> np.arange(count) & 1 if exact else random.integers(0, 2, (len(numbers), count))
        with np.errstate(invalid="ignore"):
            means = ((2.0 * bits - 1.0) @ filled) / counts
        overall = means[:, counts > 0].mean(axis=1) if counts.any() else np.full(len(means), np.nan)
        reached += (np.abs(np.column_stack([means, overall])) >= observed - _ROUNDING).sum(axis=0)
    # The observed assignment is one of all assignments, and joins the random ones.
    shares = reached / draws if exact else (reached + 1) / (draws + 1)
    return np.where(np.isfinite(observed), shares, np.nan)
