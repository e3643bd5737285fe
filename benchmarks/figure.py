"""A measured number beside the most that it may be."""

from collections.abc import Iterable
from typing import NamedTuple


class Figure(NamedTuple):
    """Something measured, and its bound.

    Examples
    --------
    >>> Figure("time to load", 8.25, 50, "ms").print()
    time to load                                                     8.25 ms  (at most 50)
    True
    """

    name: str
    value: float
    bound: float
    unit: str = ""

    def print(self) -> bool:
        """Print it; returns whether it keeps its bound."""
        print(f"{self.name:<58} {self.value:>10.3g} {self.unit:<3} (at most {self.bound:g})", flush=True)
        return self.value <= self.bound


def print_all(figures: Iterable[Figure]) -> bool:
    """Print each as soon as it is measured; returns whether all keep their bounds."""
    kept = [figure.print() for figure in figures]
    return all(kept)
