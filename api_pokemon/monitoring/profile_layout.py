"""What the rows of a model version are measured on: its fields, with edges for numbers and known values for categories.

A layout is made once, from rows that show what is usual, and then stays: only profiles on the same layout can be merged
or compared. What a layout does not know still counts, so it decides how fine the picture is, never what is in it.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from api_pokemon.monitoring.errors import ProfileError
from api_pokemon.monitoring.profile_rows import FieldSpec, Group, RowBatch, finite

MOST_KNOWN = 200
"""Values of a category that have a cell of their own, the most frequent ones."""

MOST_CELLS = 256
"""Of a number: 40 numbers with so many, of 2³¹ values each, are written down in 100 kB."""

FIXED_POINT = 2.0**12
"""Units in a cell's width. Sums of whole numbers do not depend on their order."""

_QUANTILES = 200
_MOST_HALVINGS = 12
_WIDEST = 1 / 48

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


class NumberLayout(msgspec.Struct, frozen=True, tag="number", tag_field="kind"):
    """A number and its bins: below the first edge, from each edge up to the next one, from the last edge on.

    Parameters
    ----------
    name, group
        As of :class:`~api_pokemon.monitoring.profile_rows.FieldSpec`.
    edges
        At least two, ascending. All that the layout was made from lies before the last one.
    """

    name: str
    group: Group
    edges: tuple[float, ...]

    @property
    def cells(self) -> int:
        return len(self.edges) + 1


class CategoryLayout(msgspec.Struct, frozen=True, tag="category", tag_field="kind"):
    """A category and the values that have a cell of their own, before the one of all that nobody names.

    Parameters
    ----------
    name, group
        As of :class:`~api_pokemon.monitoring.profile_rows.FieldSpec`.
    values
        The known values, in order of their text.
    """

    name: str
    group: Group
    values: tuple[str, ...]

    @property
    def cells(self) -> int:
        return len(self.values) + 1


FieldLayout: TypeAlias = NumberLayout | CategoryLayout


class _Written(msgspec.Struct, frozen=True):
    """A layout as it is written down. A version may add fields with a default; it never changes what one means."""

    v: Literal[1]
    fields: tuple[FieldLayout, ...]


class Layout:
    """The cells of all fields in one row: those of the numbers, then those of the categories.

    Parameters
    ----------
    fields
        With names of their own.

    Examples
    --------
    >>> from api_pokemon.monitoring.profile_rows import row_batch
    >>> specs = [FieldSpec("size", "number", "request"), FieldSpec("colour", "category", "choice")]
    >>> rows = row_batch(specs, [{"size": 1}, {"size": 1}], [{"colour": "red"}, {"colour": "blue"}])
    >>> [field.cells for field in make_layout(specs, rows).fields]
    [3, 3]
    """

    def __init__(self, fields: Sequence[FieldLayout]) -> None:
        self.numbers = tuple(field for field in fields if isinstance(field, NumberLayout))
        self.categories = tuple(field for field in fields if isinstance(field, CategoryLayout))
        self.fields: tuple[FieldLayout, ...] = (*self.numbers, *self.categories)
        cells = np.array([field.cells for field in self.fields], dtype=np.int64)
        self.starts = np.concatenate([[0], np.cumsum(cells)]).astype(np.int64)
        self.number_cells = sum(field.cells for field in self.numbers)

    @property
    def specs(self) -> tuple[FieldSpec, ...]:
        """The fields, without what they are measured on."""
        numbers = (FieldSpec(field.name, "number", field.group) for field in self.numbers)
        return (*numbers, *(FieldSpec(field.name, "category", field.group) for field in self.categories))

    def cells_of(self, index: int) -> slice:
        """Where the cells of a field are."""
        return slice(int(self.starts[index]), int(self.starts[index + 1]))

    @cached_property
    def edges(self) -> tuple[Floats, ...]:
        """By number, its edges."""
        return tuple(np.array(field.edges) for field in self.numbers)

    @cached_property
    def anchors(self) -> Floats:
        """By cell of the numbers, the edge from which a value's distance is taken."""
        return _joined([np.concatenate([edges[:1], edges]) for edges in self.edges])

    @cached_property
    def widths(self) -> Floats:
        """By cell of the numbers, the distance that counts as one; negative below the first edge."""
        return _joined([_widths(edges) for edges in self.edges])

    @cached_property
    def units(self) -> Floats:
        """By cell of the numbers, what turns a distance into fixed point."""
        with np.errstate(over="ignore"):
            units = FIXED_POINT / self.widths
        return np.where(np.isfinite(units), units, 0.0)

    @cached_property
    def known(self) -> tuple[Mapping[str, int], ...]:
        """By category, the cell of each known value, counted from the first one of all."""
        starts = self.starts[len(self.numbers) :]
        return tuple(
            {value: int(start) + index for index, value in enumerate(field.values)}
            for field, start in zip(self.categories, starts, strict=False)
        )

    @cached_property
    def fingerprint(self) -> bytes:
        """Sixteen bytes that tell layouts apart."""
        return blake2b(self.encode(), digest_size=16).digest()

    def encode(self) -> bytes:
        """Write it down."""
        return msgspec.msgpack.encode(_Written(1, self.fields))

    @classmethod
    def decode(cls, body: bytes) -> "Layout":
        """Read what :meth:`encode` of this or of another version has written.

        Raises
        ------
        ProfileError
            If this is no layout, or one whose meaning this version does not know.
        """
        try:
            return cls(msgspec.msgpack.decode(body, type=_Written).fields)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProfileError(f"These bytes are no layout that this version knows: {error}") from error


def make_layout(specs: Sequence[FieldSpec], rows: RowBatch) -> Layout:
    """Choose edges and known values by what is usual.

    Edges are 200 quantiles, in both tails those at half the distance from the end, again and again, as far as the rows
    reach, and as many between them that no cell is wider than 1/48 of the whole: so long tails are told finely, and
    what comes to lie between a few values, too. Where these would be more cells than :data:`MOST_CELLS`, the quantiles
    are fewer.

    Parameters
    ----------
    specs
        The fields.
    rows
        Rows that show what is usual: of a million, some ten thousand do as well.

    Raises
    ------
    ProfileError
        If two fields have the same name.
    """
    names = [spec.name for spec in specs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ProfileError(f"Each field needs a name of its own: {', '.join(sorted(twice))} has more than one field.")
    return Layout([_lay_out(spec, rows) for spec in specs])


def _lay_out(spec: FieldSpec, rows: RowBatch) -> FieldLayout:
    if spec.kind == "number":
        return NumberLayout(spec.name, spec.group, _edges(rows.numbers[spec.name]))
    counts = rows.categories[spec.name]
    by_frequency = sorted((-count, value) for value, count in counts.items() if value is not None)
    return CategoryLayout(spec.name, spec.group, tuple(sorted(value for _, value in by_frequency[:MOST_KNOWN])))


def _edges(values: Floats) -> tuple[float, ...]:
    measured = finite(values)
    present = np.sort(measured[np.isfinite(measured)])
    if not len(present):
        present = np.zeros(1)
    choices = (_edges_between(present, quantiles) for quantiles in range(_QUANTILES, 0, -10))
    return next(edges for edges in choices if len(edges) < MOST_CELLS)


def _edges_between(present: Floats, quantiles: int) -> tuple[float, ...]:
    shares = _probabilities(len(present), quantiles)
    picked = np.unique(present[np.floor(shares * (len(present) - 1)).astype(np.int64)])
    return (*_with_narrow_gaps(picked), float(np.nextafter(picked[-1], np.inf)))


def _probabilities(count: int, quantiles: int) -> Floats:
    halvings = min(max(int(np.log2(count / _QUANTILES)), 0), _MOST_HALVINGS)
    tail = 0.5 ** np.arange(1, halvings + 1) / quantiles
    return np.concatenate([np.linspace(0, 1, quantiles + 1), tail, 1 - tail])


def _with_narrow_gaps(edges: Floats) -> list[float]:
    """Divide what is wide: the gaps between few values, where rows may come to lie later, and the ends of a tail."""
    gaps = np.diff(edges)
    pieces = np.maximum(np.ceil(gaps / max(_WIDEST * gaps.sum(), np.finfo(np.float64).tiny)), 1).astype(np.int64)
    numbers = np.concatenate([[0], np.cumsum(pieces)])
    return [float(edge) for edge in np.unique(np.interp(np.arange(numbers[-1] + 1), numbers, edges))]


def _widths(edges: Floats) -> Floats:
    inner = np.diff(edges)
    whole = edges[-1] - edges[0]
    beyond = whole if len(inner) > 1 else max(abs(edges[0]), 1.0)
    return np.concatenate([[-beyond], inner, [beyond]])


def _joined(parts: Sequence[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.zeros(0)
