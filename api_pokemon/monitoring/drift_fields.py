"""Compares one field of a window with the same field of the reference."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np

from api_pokemon.monitoring.drift_changes import MISSING, OTHER, Change, largest_changes, ranges
from api_pokemon.monitoring.drift_noise import Source
from api_pokemon.monitoring.jensen_shannon import jensen_shannon
from api_pokemon.monitoring.number_distribution import Distribution, coarser, distribution, lower_tail, upper_tail
from api_pokemon.monitoring.pareto import Pareto
from api_pokemon.monitoring.population_stability import tenths
from api_pokemon.monitoring.profile_layout import Floats, Ints
from api_pokemon.monitoring.profiles import MOST_NEWCOMERS, Newcomers, Profile, newcomer_rank

_GROUPS = 100
_TAIL_ROWS = 50

NumberStatistic: TypeAlias = Callable[[Distribution, Distribution], Floats]
"""Of a reference and a window, or of many windows at once."""

CategoryStatistic: TypeAlias = Callable[[Floats, Floats], Floats]
"""Of the shares of the same values in a reference and in a window, or in many windows at once."""


class NumberComparison:
    """Compares a number: its values, and how often it is missing, whichever differs more.

    Parameters
    ----------
    reference
        What is usual.
    index
        Of the number, in the layout.
    statistic
        Compares the values. How often they are missing is told by the Jensen-Shannon distance.
    """

    def __init__(self, reference: Profile, index: int, statistic: NumberStatistic) -> None:
        self._index = index
        self._statistic = statistic
        self._reference = distribution(reference, index)
        self._counts = _with_missing(reference, index)

    def statistic(self, window: Profile) -> float:
        """How far the window is from the reference."""
        counts = _with_missing(window, self._index)
        return float(self._compare(self._reference, distribution(window, self._index), self._counts, counts))

    def changes(self, window: Profile) -> tuple[Change, ...]:
        """Which ranges, each a tenth of the reference, grew and which shrank; one with a single value has its name."""
        starts = np.flatnonzero(np.diff(tenths(self._reference.shares), prepend=-1))
        last = len(self._reference.edges)  # what is beyond stands alone
        starts = np.unique([0, 1, last, *starts])
        groups = np.append(starts, last + 1)
        sides = (
            np.add.reduceat(_shares(counts), groups) for counts in (self._counts, _with_missing(window, self._index))
        )
        names = _single_values(
            ranges(self._reference.edges, starts), starts, self._reference, distribution(window, self._index)
        )
        return largest_changes([*names, MISSING], *sides)

    def source(self) -> Source:
        """What unchanged windows are drawn from: one row more than the reference has is beyond either end."""
        coarse = coarser(self._reference, _GROUPS)
        rows = self._counts[:-1].sum()
        share = _TAIL_ROWS / max(rows, _TAIL_ROWS)
        lower, upper = lower_tail(self._reference, share), upper_tail(self._reference, share)
        counts = np.append(coarse.shares * rows, self._counts[-1])
        likely = counts.copy()
        likely[[0, -2]] += 1
        return Source(likely, partial(self._of_drawn, coarse, counts, (lower, upper)))

    def _of_drawn(
        self,
        coarse: Distribution,
        usual: Floats,
        tails: tuple[Pareto, Pareto],
        counts: Floats,
        rng: np.random.Generator,
    ) -> Floats:
        """The statistic of windows of which only the counts are known: a cell's mean varies as that of its values."""
        values = counts[:, :-1]
        error = np.sqrt(coarse.variance_in_cells() / np.maximum(values, 1))
        means = coarse.means + error * rng.standard_normal(values.shape)
        for cell, outwards, tail in zip((0, -1), (-1, 1), tails, strict=True):
            means[:, cell] += outwards * tail.mean_excess(values[:, cell], rng) / (usual[:-1][cell] + 1)
        return self._compare(coarse, Distribution(coarse.edges, _shares(values), means), usual, counts)

    def _compare(self, reference: Distribution, window: Distribution, usual: Floats, counts: Floats) -> Floats:
        return np.maximum(self._statistic(reference, window), jensen_shannon(_presence(usual), _presence(counts)))


class CategoryComparison:
    """Compares a category, among whose values is that there is none.

    Parameters
    ----------
    reference
        What is usual.
    index
        Of the category, among the layout's categories.
    statistic
        Compares the shares of its values.
    """

    def __init__(self, reference: Profile, index: int, statistic: CategoryStatistic) -> None:
        layout = reference.layout
        self._index = index
        self._field = len(layout.numbers) + index
        self._statistic = statistic
        self._values = [*layout.categories[index].values, OTHER, MISSING]
        self._counts = _with_missing(reference, self._field)
        self._newcomers = reference.newcomers[index]

    def statistic(self, window: Profile) -> float:
        """How far the window is from the reference."""
        _, reference, observed = self._aligned(window)
        return float(self._statistic(_shares(reference), _shares(observed)))

    def changes(self, window: Profile) -> tuple[Change, ...]:
        """Which values grew and which shrank."""
        values, reference, observed = self._aligned(window)
        return largest_changes(values, _shares(reference), _shares(observed))

    def source(self) -> Source:
        """What unchanged windows are drawn from; its last value stands for those that the reference has not seen."""
        named = np.array([*self._counts, *self._newcomers.values()], dtype=np.float64)
        missing = len(self._counts) - 1
        values = np.delete(named, missing)
        seen_once = float(np.count_nonzero(values == 1))
        unseen = seen_once / max(values.sum(), 1.0)
        likely = np.where(np.arange(len(named)) == missing, named, named * (1 - unseen))
        shares = _shares(np.append(named, 0.0))
        return Source(np.append(likely, seen_once), lambda drawn, _: self._statistic(shares, _shares(drawn)))

    def _aligned(self, window: Profile) -> tuple[list[str], Floats, Floats]:
        """Names, and the counts of both sides by name.

        A newcomer that only one side names may be among the others of the other side, unless its hash is small enough
        to be kept there, too.
        """
        newcomers = (self._newcomers, window.newcomers[self._index])
        limit = min(map(_kept_through, newcomers))
        names = [name for name in {**newcomers[0], **newcomers[1]} if newcomer_rank(name) <= limit]
        counts = (self._counts, _with_missing(window, self._field))
        sides = []
        for known, named in zip(counts, newcomers, strict=True):
            kept = [named.get(name, 0) for name in names]
            others = sum(named.values()) - sum(kept)
            sides.append(np.array([*known[:-2], known[-2] + others, known[-1], *kept], dtype=np.float64))
        return [*self._values, *names], sides[0], sides[1]


def _kept_through(newcomers: Newcomers) -> bytes:
    """Up to which rank all newcomers are named."""
    return max(map(newcomer_rank, newcomers)) if len(newcomers) == MOST_NEWCOMERS else b"\xff" * 8


def _with_missing(profile: Profile, field: int) -> Floats:
    """Rows by cell, the last one of those without a value."""
    return np.append(profile.counts[profile.layout.cells_of(field)], profile.missing[field]).astype(np.float64)


def _single_values(names: list[str], starts: Ints, *sides: Distribution) -> list[str]:
    """Name groups of cells by their value, where all that is in them, on both sides, is at the edge of one cell."""
    filled = np.any([side.shares > 0 for side in sides], axis=0)
    at_edge = np.all([(side.shares == 0) | (side.means == np.append(-np.inf, side.edges)) for side in sides], axis=0)
    ends = [*starts[1:], len(filled)]
    cells = [start + np.flatnonzero(filled[start:end]) for start, end in zip(starts, ends, strict=True)]
    return [
        f"{sides[0].edges[found[0] - 1]:.6g}" if len(found) == 1 and at_edge[found[0]] else name
        for name, found in zip(names, cells, strict=True)
    ]


def _presence(counts: Floats) -> Floats:
    return _shares(np.stack([counts[..., :-1].sum(axis=-1), counts[..., -1]], axis=-1))


def _shares(counts: Floats) -> Floats:
    shares: Floats = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    return shares
