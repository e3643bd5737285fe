"""The normalised Wasserstein distance of numbers."""

import numpy as np

from api_pokemon.monitoring.jensen_shannon import jensen_shannon
from api_pokemon.monitoring.number_distribution import Distribution
from api_pokemon.monitoring.profile_layout import Floats


def normalised_wasserstein(reference: Distribution, window: Distribution) -> Floats:
    r"""How far values moved on average, in standard deviations of the reference.

    .. math:: W = \frac{1}{\sigma_R} \int |F_R(x) - F_W(x)| \, dx

    A shift of everything by 0.1 standard deviations is 0.1. Where the reference has no spread at all, it is the
    Jensen-Shannon distance of the cells: how many values are another one counts then, not by how much they differ.

    Returns
    -------
    array
        0 or more, and 0 where either side has no values; as many as there are pairs.

    References
    ----------
    Ramdas, Garcia Trillos, Cuturi (2017): On Wasserstein two-sample testing and related families of nonparametric
    tests. Entropy 19(2), 47.
    """
    deviation = reference.standard_deviation()
    distance = _beyond(reference, window) + _between(reference, window)
    spread = np.divide(distance, deviation, out=np.zeros_like(distance), where=deviation > 0)
    both = (reference.shares.sum(axis=-1) > 0) & (window.shares.sum(axis=-1) > 0)
    return np.where(both, np.where(deviation > 0, spread, jensen_shannon(reference.shares, window.shares)), 0.0)


def _between(reference: Distribution, window: Distribution) -> Floats:
    """The area between the distribution functions from the first edge to the last."""
    lower, upper = reference.edges[:-1], reference.edges[1:]
    one, other = reference.inner(), window.inner()
    at_edges = reference.at_edges() - window.at_edges()
    at_lower, at_upper = at_edges[..., :-1], at_edges[..., 1:]
    at_one = at_lower + one.shares * one.below - other.shares_below(one.means)
    at_other = at_lower + one.shares_below(other.means) - other.shares * other.below
    one_first = one.means <= other.means
    first, second = np.minimum(one.means, other.means), np.maximum(one.means, other.means)
    at_first, at_second = np.where(one_first, at_one, at_other), np.where(one_first, at_other, at_one)
    areas = (
        _area(at_lower, at_first, first - lower)
        + _area(at_first, at_second, second - first)
        + _area(at_second, at_upper, upper - second)
    )
    total: Floats = areas.sum(axis=-1)
    return total


def _area(begin: Floats, end: Floats, width: Floats) -> Floats:
    """Under the absolute value of a straight line."""
    ends = np.abs(begin) + np.abs(end)
    crossing = np.divide(begin * begin + end * end, ends, out=np.zeros_like(ends), where=ends > 0)
    return width * np.where(begin * end < 0, crossing, ends) / 2


def _beyond(reference: Distribution, window: Distribution) -> Floats:
    """The area before the first edge and after the last one, with all that is there at its mean."""
    area = np.zeros(())
    for cell, edge in ((0, reference.edges[0]), (-1, reference.edges[-1])):
        one, other = reference.shares[..., cell], window.shares[..., cell]
        far_one, far_other = abs(reference.means[..., cell] - edge), abs(window.means[..., cell] - edge)
        alone = np.where(far_one > far_other, one, other) * abs(far_one - far_other)
        area = area + alone + abs(one - other) * np.minimum(far_one, far_other)
    return area
