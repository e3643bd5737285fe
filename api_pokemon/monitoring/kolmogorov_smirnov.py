"""The Kolmogorov-Smirnov statistic of numbers."""

import numpy as np

from api_pokemon.monitoring.number_distribution import Distribution
from api_pokemon.monitoring.profile_layout import Floats


def kolmogorov_smirnov(reference: Distribution, window: Distribution) -> Floats:
    r"""The largest difference of the shares below any edge.

    .. math:: D = \max_i |F_R(e_i) - F_W(e_i)|

    It tells how many values moved, never how far. Between two edges it may be larger, by at most half a percent where
    the reference is the one that the edges were made for.

    Returns
    -------
    array
        In [0, 1], and 0 where either side has no values; as many as there are pairs.

    References
    ----------
    Massey (1951): The Kolmogorov-Smirnov test for goodness of fit. Journal of the American Statistical Association
    46(253), 68-78.
    """
    both = (reference.shares.sum(axis=-1) > 0) & (window.shares.sum(axis=-1) > 0)
    return np.where(both, np.max(np.abs(reference.at_edges() - window.at_edges()), axis=-1), 0.0)
