"""How a number is distributed, as far as a profile tells: the share and the mean of each cell.

Between two edges the distribution function is taken as two straight lines, which meet where it leaves the mean of the
cell as it is known: at the mean itself, at the share (upper edge - mean) / (upper edge - lower edge). A cell with one
value is then a step there, as it should be, and the long cell of a tail leans to its near end.
"""

from typing import NamedTuple

import numpy as np

from api_pokemon.monitoring.pareto import Pareto
from api_pokemon.monitoring.profile_layout import FIXED_POINT, Floats
from api_pokemon.monitoring.profiles import Profile


class Inner(NamedTuple):
    """The cells between edges.

    Parameters
    ----------
    lower, upper
        Their edges: shape (cells,).
    shares, means
        As of :class:`Distribution`: shape (…, cells).
    below
        The share of a cell's values below their mean: shape (…, cells).
    """

    lower: Floats
    upper: Floats
    shares: Floats
    means: Floats
    below: Floats

    def shares_below(self, points: Floats) -> Floats:
        """The share of values between a cell's lower edge and a point in this cell: shape (…, cells)."""
        rising = self.below * _ratio(points - self.lower, self.means - self.lower, otherwise=1.0)
        falling = self.below + (1 - self.below) * _ratio(points - self.means, self.upper - self.means, otherwise=0.0)
        return self.shares * np.where(points <= self.means, rising, falling)


class Distribution(NamedTuple):
    """The cells of one number, or of the same number many times.

    Parameters
    ----------
    edges
        Between the cells, ascending: shape (cells - 1,).
    shares
        Of the values that are not missing, by cell: shape (…, cells). They add up to 1, or are all 0.
    means
        Of the values in a cell; anywhere in it where there are none. Shape (…, cells).
    """

    edges: Floats
    shares: Floats
    means: Floats

    def inner(self) -> Inner:
        """The cells between edges."""
        lower, upper = self.edges[:-1], self.edges[1:]
        means = np.minimum(np.maximum(self.means[..., 1:-1], lower), upper)
        return Inner(lower, upper, self.shares[..., 1:-1], means, (upper - means) / (upper - lower))

    def at_edges(self) -> Floats:
        """The share of values below each edge: shape (…, cells - 1)."""
        return np.cumsum(self.shares[..., :-1], axis=-1)

    def variance_in_cells(self) -> Floats:
        """Of the values within a cell: 0 in those beyond the edges. Shape (…, cells)."""
        lower, upper, _, means, below = self.inner()
        inner = (below * (means - lower) ** 2 + (1 - below) * (upper - means) ** 2) / 3
        return np.pad(inner, [*[(0, 0)] * (inner.ndim - 1), (1, 1)])

    def standard_deviation(self) -> Floats:
        """Of all values: 0 where there are none. Shape (…)."""
        mean = np.sum(self.shares * self.means, axis=-1, keepdims=True)
        around = self.variance_in_cells() + (self.means - mean) ** 2
        deviation: Floats = np.sqrt(np.sum(self.shares * around, axis=-1))
        return deviation


def distribution(profile: Profile, index: int) -> Distribution:
    """Tell how a profile's number is distributed.

    Parameters
    ----------
    index
        Of the number, in the layout.
    """
    layout = profile.layout
    cells = layout.cells_of(index)
    counts, sums = profile.counts[cells], profile.sums[cells]
    inside = np.where(counts > 0, sums / np.maximum(counts, 1) / FIXED_POINT, 0.0)
    means = layout.anchors[cells] + inside * layout.widths[cells]
    return Distribution(layout.edges[index], counts / max(counts.sum(), 1), means)


def coarser(distribution: Distribution, groups: int) -> Distribution:
    """Put neighbouring cells together to so many that have about the same share; what is in the tails stays fine.

    Cells without values are put to those before them. Those beyond the edges stay alone.
    """
    inner = distribution.shares[1:-1]
    group = np.floor((np.cumsum(distribution.shares)[1:-1] - inner / 2) * groups)
    in_tail = (group <= 0) | (group >= groups - 1)
    begins = (np.diff(group, prepend=-1) > 0) | (in_tail & (inner > 0))
    begins[0] = True
    starts = np.concatenate([[0], np.flatnonzero(begins) + 1, [len(inner) + 1]])
    shares = np.add.reduceat(distribution.shares, starts)
    sums = np.add.reduceat(distribution.shares * distribution.means, starts)
    edges = distribution.edges[starts[1:] - 1]
    middles = np.concatenate([edges[:1], (edges[:-1] + edges[1:]) / 2, edges[-1:]])
    return Distribution(edges, shares, np.divide(sums, shares, out=middles, where=shares > 0))


def upper_tail(distribution: Distribution, share: float) -> Pareto:
    """Guess from about so large a share of the largest values by how much others may exceed the last edge."""
    first = int(np.argmax(1 - distribution.at_edges() <= share))
    first = max(first - 1, 0)
    shares = distribution.shares[first + 1 :]
    weight = shares.sum()
    if not weight:
        return Pareto(0.0, 0.0)
    excess = distribution.means[first + 1 :] - distribution.edges[first]
    mean = np.sum(shares * excess) / weight
    variance = np.sum(shares * (distribution.variance_in_cells()[first + 1 :] + (excess - mean) ** 2)) / weight
    return Pareto.fit(float(mean), float(variance)).above(float(distribution.edges[-1] - distribution.edges[first]))


def lower_tail(distribution: Distribution, share: float) -> Pareto:
    """The same of the smallest values and the first edge."""
    edges, shares, means = distribution
    return upper_tail(Distribution(-edges[::-1], shares[::-1], -means[::-1]), share)


def _ratio(part: Floats, whole: Floats, *, otherwise: float) -> Floats:
    ratio = np.full(np.broadcast_shapes(part.shape, whole.shape), otherwise)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
