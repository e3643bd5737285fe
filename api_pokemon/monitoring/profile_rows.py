"""Rows as they come, turned into what can be counted: an array for each number, counts of values for each category."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import isfinite
from types import NoneType
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from api_pokemon.monitoring.events import Field, Fields, Prediction

Kind: TypeAlias = Literal["number", "category"]
Group: TypeAlias = Literal["request", "choice"]

LARGEST = 1e100
"""A number beyond it, in either direction, is no measurement, and counts as missing."""

LONGEST_BYTES = 40
"""A longer value of a category is told by its beginning and a hash."""


class FieldSpec(msgspec.Struct, frozen=True):
    """A monitored field.

    Parameters
    ----------
    name
        Its key in the rows; no other field of either group has it.
    kind
        How it is measured. True and False are numbers, too, where a number is wanted.
    group
        Whether it tells what was asked, or what the model chose. The groups are judged separately.
    """

    name: str
    kind: Kind
    group: Group


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Some rows, field by field; their order is not kept.

    Parameters
    ----------
    rows
        How many.
    numbers
        By field, one value a row; NaN where it is missing.
    categories
        By field, how many rows have which value; None where it is missing.
    """

    rows: int
    numbers: Mapping[str, NDArray[np.float64]]
    categories: Mapping[str, Mapping[str | None, int]]


def row_batch(specs: Iterable[FieldSpec], requests: Sequence[Fields], choices: Sequence[Fields]) -> RowBatch:
    """Take rows apart.

    What is absent, None, not a finite number or beyond :data:`LARGEST` is missing. What becomes of a value depends on
    this value alone, never on those beside it.

    Parameters
    ----------
    requests, choices
        The two halves of each row, in the same order.

    Examples
    --------
    >>> specs = [FieldSpec("size", "number", "request"), FieldSpec("colour", "category", "choice")]
    >>> batch = row_batch(specs, [{"size": 1}, {"size": None}, {}], [{"colour": "red"}, {"colour": "red"}, {}])
    >>> batch.numbers["size"].tolist(), dict(batch.categories["colour"])
    ([1.0, nan, nan], {'red': 2, None: 1})
    """
    numbers, categories = {}, {}
    for spec in specs:
        name = spec.name
        column = [row.get(name) for row in (requests if spec.group == "request" else choices)]
        if spec.kind == "number":
            numbers[name] = as_numbers(column)
        else:
            categories[name] = count_values(column)
    return RowBatch(len(requests), numbers, categories)


def prediction_batch(specs: Iterable[FieldSpec], predictions: Sequence[Prediction]) -> RowBatch:
    """Take the rows of predictions apart."""
    return row_batch(specs, [made.request for made in predictions], [made.choice for made in predictions])


def finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put NaN where there is no measurement; there is one zero, without a sign."""
    return np.where(np.abs(values) <= LARGEST, values, np.nan) + 0.0


def count_values(column: Sequence[Field]) -> Mapping[str | None, int]:
    """Count a category's values by their text."""
    kinds = {kind for kind in set(map(type, column)) if kind is not NoneType}
    if len(kinds) > 1:  # 1 and True are equal, and yet not the same value
        return Counter(map(as_text, column))
    counts: Counter[str | None] = Counter()
    for value, count in Counter(column).items():
        counts[as_text(value)] += count
    return counts


def as_text(value: Field) -> str | None:
    """A category's value as text, None where it is missing.

    Examples
    --------
    >>> as_text("rouge"), as_text(True), as_text(2.0), as_text(float("nan"))
    ('rouge', 'true', '2', None)
    """
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float() if not isfinite(value):
            return None
        case float() if value.is_integer() and abs(value) < 2**63:
            return _shortened(str(int(value)))
        case _:
            return _shortened(str(value))


def as_numbers(column: Sequence[Field]) -> NDArray[np.float64]:
    """A number's values, NaN where it is missing."""
    try:
        return finite(np.array(column, dtype=np.float64))
    except (ValueError, TypeError, OverflowError):
        return finite(np.array([_as_number(value) for value in column], dtype=np.float64))


def _as_number(value: Field) -> float:
    try:
        return float(np.array(value, dtype=np.float64))
    except (ValueError, TypeError, OverflowError):
        return float("nan")


def _shortened(text: str) -> str:
    if len(text) * 4 <= LONGEST_BYTES and text.isascii():
        return text
    body = text.encode(errors="replace")
    if len(body) <= LONGEST_BYTES:
        return body.decode()
    digest = blake2b(body, digest_size=4).hexdigest()
    return f"{body[: LONGEST_BYTES - len(digest) - 3].decode(errors='ignore')}…{digest}"
