"""Numbers and categories as profiles, for tests."""

from collections.abc import Callable, Mapping

import numpy as np

from api_pokemon.monitoring.number_distribution import Distribution, distribution
from api_pokemon.monitoring.profile_layout import Floats, Layout, make_layout
from api_pokemon.monitoring.profile_rows import FieldSpec, RowBatch
from api_pokemon.monitoring.profiles import Profile, profile_rows

NUMBER = FieldSpec("n", "number", "request")
CATEGORY = FieldSpec("c", "category", "choice")

SAMPLES: Mapping[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda rng, count: rng.normal(5, 2, count),
    "bounded": lambda rng, count: rng.beta(0.5, 0.5, count),
    "bimodal": lambda rng, count: np.where(
        rng.random(count) < 0.3, rng.normal(-3, 0.2, count), rng.normal(2, 1, count)
    ),
    "lognormal": lambda rng, count: rng.lognormal(0, 1, count),
    "heavy": lambda rng, count: rng.lognormal(0, 1.5, count),
    "counts": lambda rng, count: rng.poisson(3, count).astype(np.float64),
    "mostly zero": lambda rng, count: np.where(rng.random(count) < 0.6, 0.0, rng.exponential(3, count)),
    "tiny": lambda rng, count: rng.normal(1e-9, 1e-12, count),
    "huge": lambda rng, count: rng.normal(1e60, 1e58, count),
}


def number_layout(usual: Floats) -> Layout:
    return make_layout([NUMBER], RowBatch(len(usual), {"n": usual}, {}))


def number_profile(usual: Floats, rows: Floats) -> Profile:
    """The profile of some numbers, on the layout that others make."""
    return profile_rows(number_layout(usual), RowBatch(len(rows), {"n": rows}, {}))


def numbers(rows: Floats, usual: Floats | None = None) -> Distribution:
    """How some numbers are distributed, on their own layout or on that of others."""
    return distribution(number_profile(rows if usual is None else usual, rows), 0)


def category_profile(usual: Mapping[str | None, int], counts: Mapping[str | None, int]) -> Profile:
    """The profile of a category, on the layout that other rows make."""
    layout = make_layout([CATEGORY], RowBatch(sum(usual.values()), {}, {"c": usual}))
    return profile_rows(layout, RowBatch(sum(counts.values()), {}, {"c": counts}))
