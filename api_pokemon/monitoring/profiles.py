"""Mergeable summaries of rows: what is left of them when only their distribution matters.

A profile counts. By cell of its layout it knows how many values fell there, and the sum of their distances to the
cell's edge in fixed point; by field how many were missing, the least and the largest number, and the values of a
category that the layout does not know. All of it is integers, extremes, or chosen by the value alone, so merging any
split of the rows in any order gives exactly what one pass over them gives.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from api_pokemon.monitoring.errors import ProfileError
from api_pokemon.monitoring.profile_layout import Floats, Ints, Layout
from api_pokemon.monitoring.profile_rows import LARGEST, RowBatch

MOST_NEWCOMERS = 32
"""Values that the layout does not know, and that a profile names, for each category."""

_AT_ONCE = 4096
"""Rows that are sorted at once: more do not fit into a core's cache."""

_FARTHEST_UNITS = 2.0**32

Newcomers = Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What is known of some rows.

    Parameters
    ----------
    layout
        What the rows are measured on.
    rows
        How many rows.
    missing
        By field, rows without a value.
    counts
        By cell of the layout, rows with a value there. In a category's last cell are the values that nobody names.
    sums
        By cell of the layout's numbers, the distances of the values from the cell's anchor, in fixed point: see
        :attr:`Layout.units <api_pokemon.monitoring.profile_layout.Layout.units>`.
    lowest, highest
        By number, the extreme values; infinities the wrong way round where there are none.
    newcomers
        By category, how often which value occurred that the layout does not know. Of more than
        :data:`MOST_NEWCOMERS`, those whose hashes are the smallest: what is kept of a whole was then kept of each part.
    """

    layout: Layout
    rows: int
    missing: Ints
    counts: Ints
    sums: Ints
    lowest: Floats
    highest: Floats
    newcomers: tuple[Newcomers, ...]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Profile):
            return NotImplemented
        return (
            self.layout.fingerprint == other.layout.fingerprint
            and self.rows == other.rows
            and self.newcomers == other.newcomers
            and all(np.array_equal(mine, its) for mine, its in zip(_arrays(self), _arrays(other), strict=True))
        )

    __hash__ = None  # type: ignore[assignment]


def empty_profile(layout: Layout) -> Profile:
    """The profile of no rows."""
    numbers = len(layout.numbers)
    return Profile(
        layout,
        rows=0,
        missing=np.zeros(len(layout.fields), np.int64),
        counts=np.zeros(layout.starts[-1], np.int64),
        sums=np.zeros(layout.number_cells, np.int64),
        lowest=np.full(numbers, np.inf),
        highest=np.full(numbers, -np.inf),
        newcomers=tuple({} for _ in layout.categories),
    )


def profile_rows(layout: Layout, batch: RowBatch) -> Profile:
    """Make the profile of some rows.

    Examples
    --------
    >>> from api_pokemon.monitoring.profile_layout import make_layout
    >>> from api_pokemon.monitoring.profile_rows import FieldSpec, row_batch
    >>> specs = [FieldSpec("size", "number", "request"), FieldSpec("colour", "category", "choice")]
    >>> usual = row_batch(specs, [{"size": 1}, {"size": 1}], [{"colour": "red"}, {"colour": "blue"}])
    >>> layout = make_layout(specs, usual)
    >>> profile = profile_rows(layout, row_batch(specs, [{"size": 2}, {}], [{"colour": "red"}, {"colour": "green"}]))
    >>> profile.counts.tolist(), profile.missing.tolist(), profile.newcomers
    ([0, 0, 1, 0, 1, 0], [1, 0], ({'green': 1},))
    >>> merge([profile, profile]).rows
    4
    """
    numbers = _measure(layout, batch)
    categories = [
        _sort_out(known, batch.categories[field.name])
        for field, known in zip(layout.categories, layout.known, strict=True)
    ]
    counts = np.concatenate([numbers.counts, np.zeros(layout.starts[-1] - layout.number_cells, np.int64)])
    for index, category in enumerate(categories, start=len(layout.numbers)):
        for cell, count in category.known.items():
            counts[cell] += count
        counts[layout.starts[index + 1] - 1] += category.others
    return Profile(
        layout,
        rows=batch.rows,
        missing=np.concatenate([numbers.missing, np.array([c.missing for c in categories], np.int64)]),
        counts=counts,
        sums=numbers.sums,
        lowest=numbers.lowest,
        highest=numbers.highest,
        newcomers=tuple(category.newcomers for category in categories),
    )


def merge(profiles: Iterable[Profile]) -> Profile:
    """Make the profile of all the rows of at least one profile.

    Raises
    ------
    ProfileError
        If their layouts differ.
    """
    parts = list(profiles)
    layout = parts[0].layout
    if any(part.layout.fingerprint != layout.fingerprint for part in parts):
        raise ProfileError("Profiles on different layouts cannot be merged: those of one model version have the same.")
    counts = _total(part.counts for part in parts)
    newcomers = []
    for index in range(len(layout.categories)):
        kept, others = _limited(_added(part.newcomers[index] for part in parts))
        counts[layout.starts[len(layout.numbers) + index + 1] - 1] += others
        newcomers.append(kept)
    return Profile(
        layout,
        rows=sum(part.rows for part in parts),
        missing=_total(part.missing for part in parts),
        counts=counts,
        sums=_total(part.sums for part in parts),
        lowest=np.min([part.lowest for part in parts], axis=0),
        highest=np.max([part.highest for part in parts], axis=0),
        newcomers=tuple(newcomers),
    )


def newcomer_rank(value: str) -> bytes:
    """By which newcomers are kept, the smallest first."""
    return blake2b(value.encode(), digest_size=8).digest()


class _Numbers(NamedTuple):
    counts: Ints
    sums: Ints
    missing: Ints
    lowest: Floats
    highest: Floats


def _measure(layout: Layout, batch: RowBatch) -> _Numbers:
    parts = [_measure_some(layout, batch, begin) for begin in range(0, max(batch.rows, 1), _AT_ONCE)]
    counts, sums, missing, lowest, highest = zip(*parts, strict=True)
    return _Numbers(_total(counts), _total(sums), _total(missing), np.min(lowest, axis=0), np.max(highest, axis=0))


def _measure_some(layout: Layout, batch: RowBatch, begin: int) -> _Numbers:
    """All numbers of some rows: in ascending order, values of a cell lie together, and so do the cells."""
    begins = np.zeros(layout.number_cells + 1, np.int64)
    missing, present = [], []
    total = 0
    for index, field in enumerate(layout.numbers):
        given = batch.numbers[field.name][begin : begin + _AT_ONCE]
        values = np.sort(given)  # NaN at the end
        values = values[values.searchsorted(-LARGEST) : values.searchsorted(LARGEST, side="right")]
        first, end = layout.starts[index : index + 2].tolist()
        begins[first] = total
        begins[first + 1 : end] = values.searchsorted(layout.edges[index]) + total
        total += len(values)
        missing.append(len(given) - len(values))
        present.append(values)
    begins[-1] = total
    counts = np.diff(begins)
    return _Numbers(
        counts,
        _sum_distances(layout, counts, np.concatenate([np.zeros(0), *present])),
        np.array(missing, np.int64),
        np.array([values[0] if len(values) else np.inf for values in present]) + 0.0,  # one zero, without a sign
        np.array([values[-1] if len(values) else -np.inf for values in present]) + 0.0,
    )


def _sum_distances(layout: Layout, counts: Ints, values: Floats) -> Ints:
    distances = (values - np.repeat(layout.anchors, counts)) * np.repeat(layout.units, counts)
    whole = np.rint(np.minimum(distances, _FARTHEST_UNITS)).astype(np.int64)
    sums = np.zeros(len(counts), np.int64)
    filled = np.flatnonzero(counts)
    if len(filled):
        sums[filled] = np.add.reduceat(whole, (np.cumsum(counts) - counts)[filled])
    return sums


class _Category(NamedTuple):
    known: dict[int, int]
    newcomers: Newcomers
    others: int
    missing: int


def _sort_out(known: Mapping[str, int], counts: Mapping[str | None, int]) -> _Category:
    """Tell the values of a category that the layout knows from those that it does not."""
    cells: dict[int, int] = {}
    unknown: dict[str, int] = {}
    for value, count in counts.items():
        if value is not None:
            cell = known.get(value)
            if cell is None:
                unknown[value] = count
            else:
                cells[cell] = count
    newcomers, others = _limited(unknown)
    return _Category(cells, newcomers, others, counts.get(None, 0))


def _limited(counts: Newcomers) -> tuple[Newcomers, int]:
    if len(counts) <= MOST_NEWCOMERS:
        return counts, 0
    kept = sorted(counts, key=newcomer_rank)[:MOST_NEWCOMERS]
    return {value: counts[value] for value in kept}, sum(counts.values()) - sum(counts[value] for value in kept)


def _total(parts: Iterable[Ints]) -> Ints:
    """One after the other: a window may be of many profiles, and they would not fit into a cache side by side."""
    first, *others = parts
    total = first.copy()
    for other in others:
        total += other
    return total


def _added(parts: Iterable[Newcomers]) -> Newcomers:
    total: defaultdict[str, int] = defaultdict(int)
    for part in parts:
        for value, count in part.items():
            total[value] += count
    return dict(total)


def _arrays(profile: Profile) -> Iterator[Ints | Floats]:
    yield from (profile.missing, profile.counts, profile.sums, profile.lowest, profile.highest)
