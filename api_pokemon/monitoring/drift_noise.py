"""What chance alone does to a statistic: how large it gets in a window in which nothing has changed.

Windows are drawn from the reference again and again. The reference is itself a sample, so each window is drawn from
another distribution that the reference may have come from (the Bayesian bootstrap): shares vary as much as a sample of
the reference's size leaves them open, and values that it never saw take the share that those seen once have (Good
and Turing). So a small reference makes more noise, and so does a small window.

Each field may exceed its limit at the same small rate, at which fields that do not depend on each other reach the whole
rate together (Šidák); where they do, alarms are rarer. So small a rate is hardly seen in what is drawn: the tail of it
is continued as a generalised Pareto distribution.

References
----------
Rubin (1981): The Bayesian bootstrap. The Annals of Statistics 9(1), 130-134.
Good (1953): The population frequencies of species and the estimation of population parameters. Biometrika 40, 237-264.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from api_pokemon.monitoring.pareto import Pareto
from api_pokemon.monitoring.profile_layout import Floats

METHOD = 1
"""To be raised with each change that lets the same reference have other limits: those that were kept are drawn anew."""

_CHUNK = 100
_SEEN = 0.05
_SIZES = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)


class Source(NamedTuple):
    """What the windows of a field are drawn from.

    Parameters
    ----------
    counts
        Rows of the reference by cell, with what it has not seen.
    statistic
        Takes the counts of some windows by cell, shape (windows, cells), and a generator for what cells do not tell;
        returns the statistic of each against the reference.
    """

    counts: Floats
    statistic: Callable[[Floats, np.random.Generator], Floats]


def draw(source: Source, rows: int, windows: int, rng: np.random.Generator) -> Floats:
    """The statistic in so many unchanged windows of so many rows, give or take: shape (windows,)."""
    scale = rows / max(source.counts.sum(), 1.0)
    filled = np.flatnonzero(source.counts)
    statistics = []
    for begin in range(0, windows, _CHUNK):
        size = (min(_CHUNK, windows - begin), len(filled))
        counts = np.zeros((size[0], len(source.counts)))
        counts[:, filled] = rng.poisson(rng.standard_gamma(source.counts[filled], size) * scale)
        statistics.append(source.statistic(counts, rng))
    return np.concatenate(statistics)


def limit(statistics: Floats, rate: float) -> float:
    """What chance exceeds at this rate, which may be too small to have been seen."""
    threshold = float(np.quantile(statistics, 1 - _SEEN))
    excess = statistics[statistics > threshold] - threshold
    if rate >= _SEEN or not len(excess):
        return float(np.quantile(statistics, 1 - rate))
    share = rate / (len(excess) / len(statistics))
    return threshold + float(Pareto.fit(excess.mean(), excess.var()).excess(np.array(min(share, 1.0))))


class NoiseLimits:
    """Limits by size of the window, each found when it is first needed.

    They are drawn at a few sizes, and between two of these taken from a straight line in the logarithms.

    Parameters
    ----------
    sources
        Of all fields; each is asked for only when a limit is drawn.
    reference_rows
        The size of the reference.
    rate
        In how many unchanged windows any field exceeds its limit, in (0, 1).
    draws
        Windows to draw at each size.
    threshold
        Of limits far below it, which do not decide, a tenth of the draws tells enough.

    Attributes
    ----------
    found : by size of the window, what was drawn so far; put here what was kept of an earlier time, and it is not drawn
    """

    def __init__(
        self, sources: Sequence[Callable[[], Source]], reference_rows: int, *, rate: float, draws: int, threshold: float
    ) -> None:
        self._sources = sources
        self._reference_rows = reference_rows
        self._each = 1 - (1 - rate) ** (1 / max(len(sources), 1))  # Šidák
        self._threshold = threshold
        self._draws = draws
        self.found: dict[int, Floats] = {}

    def at(self, rows: int) -> Floats:
        """By field, the limit in a window of so many rows."""
        if not self._sources:
            return np.zeros(0)
        nearest = min(max(rows, _SIZES[0]), _SIZES[-1])
        upper = int(np.searchsorted(_SIZES, nearest))
        above = self._drawn(_SIZES[upper])
        if nearest == _SIZES[upper]:
            return above * float(np.sqrt(self._uncertainty(rows) / self._uncertainty(nearest)))
        low, high = np.log(_SIZES[upper - 1 : upper + 1])
        weight = (np.log(nearest) - low) / (high - low)
        limits: Floats = self._drawn(_SIZES[upper - 1]) ** (1 - weight) * above**weight
        return limits

    def _drawn(self, size: int) -> Floats:
        if size not in self.found:
            rng = np.random.default_rng(size)
            self.found[size] = np.array([self._find(source(), size, rng) for source in self._sources])
        return self.found[size]

    def _find(self, source: Source, size: int, rng: np.random.Generator) -> float:
        few = self._draws // 10
        drawn = draw(source, size, few, rng)
        first = limit(drawn, self._each)
        if first < self._threshold / 2:
            return first
        return limit(np.concatenate([drawn, draw(source, size, self._draws - few, rng)]), self._each)

    def _uncertainty(self, rows: int) -> float:
        """Most statistics, made by chance, go with its root."""
        return 1 / max(rows, 1) + 1 / max(self._reference_rows, 1)
