"""The population stability index, of numbers and of categories."""

import numpy as np

from api_pokemon.monitoring.number_distribution import Distribution
from api_pokemon.monitoring.profile_layout import Floats

_LEAST_SHARE = 1e-4
_GROUPS = 10


def population_stability(reference: Floats, window: Floats) -> Floats:
    r"""How different two distributions over the same values are, in either direction.

    .. math:: \mathrm{PSI} = \sum_i (w_i - r_i) \ln \frac{w_i}{r_i}

    A share below 0.0001 counts as 0.0001, so that a value which only one side has weighs much, and not endlessly. By
    custom, 0.1 is a small change and 0.25 a large one.

    Parameters
    ----------
    reference, window
        Shares that add up to 1: shape (…, values).

    Returns
    -------
    array
        0 or more; as many as there are pairs.

    Examples
    --------
    >>> float(population_stability(np.array([0.9, 0.1]), np.array([0.7, 0.3])).round(3))
    0.27

    References
    ----------
    Siddiqi (2006): Credit Risk Scorecards. Wiley.
    """
    one, other = np.maximum(reference, _LEAST_SHARE), np.maximum(window, _LEAST_SHARE)
    present = (reference > 0) | (window > 0)
    index: Floats = np.sum(np.where(present, (other - one) * np.log(other / one), 0.0), axis=-1)
    return index


def population_stability_of_numbers(reference: Distribution, window: Distribution) -> Floats:
    """The same of the cells, which are put together to tenths of the reference first: shape (…)."""
    groups = tenths(reference.shares)
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    both = (reference.shares.sum(axis=-1) > 0) & (window.shares.sum(axis=-1) > 0)
    index = population_stability(*(np.add.reduceat(side.shares, starts, axis=-1) for side in (reference, window)))
    return np.where(both, index, 0.0)


def tenths(shares: Floats) -> Floats:
    """By cell, the tenth of all values in whose middle part it lies; of the first, where there are several."""
    first = shares.reshape(-1, shares.shape[-1])[0]
    groups: Floats = np.minimum(np.floor((np.cumsum(first) - first / 2) * _GROUPS), _GROUPS - 1)
    return groups
