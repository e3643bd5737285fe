"""What changed between two distributions, in words and shares."""

from collections.abc import Sequence

import msgspec
import numpy as np

from api_pokemon.monitoring.profile_layout import Floats, Ints

OTHER = "__other__"
"""All values of a category that nobody names."""

MISSING = "__missing__"
"""No value."""

_MOST = 5


class Change(msgspec.Struct, frozen=True):
    """A value, or a range of numbers, which became more or less frequent.

    Parameters
    ----------
    value
        The value of a category; a range of numbers as text.
    reference_share, window_share
        Of all rows, in [0, 1].
    """

    value: str
    reference_share: float
    window_share: float

    @property
    def grew(self) -> bool:
        """Whether it became more frequent."""
        return self.window_share > self.reference_share


def largest_changes(values: Sequence[str], reference: Floats, window: Floats) -> tuple[Change, ...]:
    """Return the values whose shares differ most, those with the largest difference first.

    Examples
    --------
    >>> largest_changes(["a", "b", "c"], np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25]))[1].value
    'c'
    """
    difference = np.abs(window - reference)
    largest = np.argsort(-difference, kind="stable")[:_MOST]
    return tuple(
        Change(values[index], float(reference[index]), float(window[index])) for index in largest if difference[index]
    )


def ranges(edges: Floats, starts: Ints) -> list[str]:
    """Name groups of neighbouring cells by their first cells.

    Examples
    --------
    >>> ranges(np.array([1.0, 2.0, 3.0, np.nextafter(3.0, 4.0)]), np.array([0, 1, 3, 4]))
    ['below 1', '1 to 3', '3', 'above 3']
    """
    lower = [-np.inf, *edges.tolist()]
    return [
        _range(lower[start], lower[end] if end < len(lower) else np.inf)
        for start, end in zip(starts, [*starts[1:], len(lower)], strict=True)
    ]


def _range(lower: float, upper: float) -> str:
    if lower == -np.inf:
        return f"below {upper:.6g}"
    if upper == np.inf:
        return f"above {lower:.6g}"
    return f"{lower:.6g}" if upper == np.nextafter(lower, np.inf) else f"{lower:.6g} to {upper:.6g}"
