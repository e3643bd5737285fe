"""Rows for the benchmarks of drift: 22 fields whose distributions are known, with and without a change.

Fields are marginals of a Gaussian copula, so that they can depend on each other: all to the same degree.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from api_pokemon.monitoring.profile_layout import Floats, Layout, make_layout
from api_pokemon.monitoring.profile_rows import FieldSpec, RowBatch
from api_pokemon.monitoring.profiles import Profile, profile_rows

_POINTS = np.linspace(0, 1, 4097)[1:-1]
_TRIPLED = np.array([0.3, *[0.7 / 9] * 9])


class Rows(NamedTuple):
    """Rows, field by field: numbers, and categories as codes of their values."""

    numbers: Mapping[str, Floats]
    categories: Mapping[str, tuple[NDArray[np.int64], Sequence[str]]]

    def batch(self) -> RowBatch:
        """As profiles take them."""
        counts: dict[str, dict[str | None, int]] = {}
        for name, (codes, values) in self.categories.items():
            found = np.bincount(codes, minlength=len(values)).tolist()
            counts[name] = {value: count for value, count in zip(values, found, strict=True) if count}
        return RowBatch(len(next(iter(self.numbers.values()))), self.numbers, counts)


Number = Callable[[Floats, Floats], Floats]
"""Makes values of a normal deviate and its probability."""


def _normal(deviate: Floats, probability: Floats) -> Floats:
    return deviate


def _lognormal(sigma: float) -> Number:
    def values(deviate: Floats, probability: Floats) -> Floats:
        made: Floats = np.exp(sigma * deviate)
        return made

    return values


def _bounded(deviate: Floats, probability: Floats) -> Floats:
    values: Floats = np.interp(probability, _POINTS, stats.beta.ppf(_POINTS, 0.5, 0.5))
    return values


def _counted(deviate: Floats, probability: Floats) -> Floats:
    return np.searchsorted(stats.poisson.cdf(np.arange(40), 6), probability).astype(np.float64)


SIZES = (2, 3, 5, 8, 10, 18, 30, 50, 100, 200)
"""Values of the categories. Those of 10 are equally frequent, the others as their rank has it (Zipf)."""


class Case(NamedTuple):
    """What rows look like.

    Parameters
    ----------
    name
        For people.
    correlation
        Of the deviates of any two fields, in [0, 1).
    numbers
        How each number is distributed.
    """

    name: str
    correlation: float
    numbers: Sequence[Number]

    @property
    def specs(self) -> Sequence[FieldSpec]:
        """The fields: numbers in one group, categories in the other."""
        numbers = [FieldSpec(f"number {index}", "number", "request") for index in range(len(self.numbers))]
        return [*numbers, *(FieldSpec(f"category of {size}", "category", "choice") for size in SIZES)]

    def rows(self, rng: np.random.Generator, count: int, change: "Change | None" = None) -> Rows:
        """Make rows, in which something is changed or nothing."""
        common = np.sqrt(self.correlation) * rng.standard_normal(count)
        own = np.sqrt(1 - self.correlation)
        numbers, categories = {}, {}
        for index, number in enumerate(self.numbers):
            deviate = common + own * rng.standard_normal(count)
            numbers[f"number {index}"] = number(deviate, special.ndtr(deviate))
        for size in SIZES:
            shares = np.full(size, 0.1) if size == 10 else 1 / np.arange(1, size + 1)
            values = [f"value {index}" for index in range(size)]
            if size == 10 and change and change.shares is not None:
                shares = change.shares
                values = [f"value {index}" for index in range(len(shares))]
            borders = np.cumsum(shares / shares.sum())[:-1]
            probability = special.ndtr(common + own * rng.standard_normal(count))
            categories[f"category of {size}"] = np.searchsorted(borders, probability), values
        if change and change.shift:
            moved = numbers["number 0"]
            numbers["number 0"] = moved + change.shift * self._deviation(moved)
        return Rows(numbers, categories)

    def _deviation(self, values: Floats) -> float:
        """The standard deviation of the first number, whatever the sample."""
        return 1.0 if self.numbers[0] is _normal else float(stats.lognorm.std(1.0))


class Change(NamedTuple):
    """What is not as usual.

    Parameters
    ----------
    name
        For people.
    field
        Where it is.
    shift
        Of the first number, in its standard deviations.
    shares
        Of the values of the category of 10.
    """

    name: str
    field: str
    shift: float = 0.0
    shares: Floats | None = None


SHIFTED = Change("a number shifted by 0.2 standard deviations", "number 0", shift=0.2)
TRIPLED = Change("the share of a value tripled from 10 %", "category of 10", shares=_TRIPLED)
NEW = Change("a new value at 5 %", "category of 10", shares=np.array([*[0.095] * 10, 0.05]))
CHANGES = (SHIFTED, TRIPLED, NEW)

INDEPENDENT = Case("independent", 0.0, [*[_normal] * 5, *[_lognormal(1)] * 3, *[_bounded] * 2, *[_counted] * 2])
CORRELATED = Case("correlated", 0.7, INDEPENDENT.numbers)
SKEWED = Case("skewed", 0.0, [*[_lognormal(1)] * 8, *[_lognormal(1.5)] * 4])
CASES = (INDEPENDENT, CORRELATED, SKEWED)


def reference(case: Case, seed: int, count: int) -> tuple[Rows, Layout, Profile]:
    """Rows that are usual, with their layout and profile."""
    rows = case.rows(np.random.default_rng(seed), count)
    layout = make_layout(case.specs, rows.batch())
    return rows, layout, profile_rows(layout, rows.batch())
