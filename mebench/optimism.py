"""What searching adds to a score by chance: the expected maximum of k configurations that are equally good.

Whoever scores k configurations under a protocol and reports the best reports, beside its merit, the luck of a maximum.
Were all k equal in truth, each would score that truth plus an error of sampling subjects; the bootstrap over whole
subjects says how that error is distributed, and the mean of the largest of k draws, less the mean of one, is what the
search alone would have added (cf. Cawley & Talbot 2010, On over-fitting in model selection, JMLR 11; Dodge et al. 2019,
Show your work, EMNLP, for the expected maximum).

The k errors are taken as independent. Configurations scored on the same subjects err alike, so the true gain is
smaller: what is given is the most that a search of k equals would have gained, and it says nothing of configurations
that differ in truth, for which the best is better than the rest for a reason.
"""

import math

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UsageError
from mebench.resampling import RESAMPLES, Estimand, bootstrap
from mebench.statistics import Floats, Metric, SubjectCounts

NAME = "expected maximum of k null-equal configurations, subject bootstrap"


def search_gain(
    counts: SubjectCounts,
    tried: int,
    metric: Metric = "uf1",
    *,
    estimand: Estimand = "method",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> float:
    """How much the best of `tried` equal configurations scores above one of them; 0 for one, NaN where unknown."""
    if tried == 1:
        return 0.0
    values = bootstrap(counts, metric, estimand=estimand, resamples=resamples, seed=seed).values
    return expected_maximum(values, tried) - float(values.mean()) if len(values) else math.nan


def expected_maximum(values: Floats, k: int) -> float:
    """The mean of the largest of k draws with replacement from the values (n,).

    Exact: the i-th smallest of n is the largest with chance (i/n)^k - ((i-1)/n)^k. Raises UsageError for k below 1 and
    for no values.
    """
    if k < 1 or not len(values):
        raise UsageError(f"The largest of {k} draws from {len(values)} values is not defined.", "Draw at least one.")
    below: NDArray[np.float64] = (np.arange(len(values) + 1) / len(values)) ** k
    return float(np.sort(values) @ np.diff(below))
