"""The generalised Pareto distribution: what is beyond the largest values of a sample."""

from typing import NamedTuple

import numpy as np

from api_pokemon.monitoring.profile_layout import Floats

_MOST_SHAPE = 0.5


class Pareto(NamedTuple):
    """By how much values above a threshold exceed it.

    Parameters
    ----------
    scale
        In the units of the values; 0 where nothing is above.
    shape
        Above 0 for a heavy tail, 0 for an exponential one, below 0 for one that ends; in [-0.5, 0.5].

    References
    ----------
    Hosking, Wallis (1987): Parameter and quantile estimation for the generalized Pareto distribution. Technometrics
    29(3), 339-349.
    """

    scale: float
    shape: float

    @classmethod
    def fit(cls, mean: float, variance: float) -> "Pareto":
        """Estimate it by the moments of the excess.

        Examples
        --------
        >>> Pareto.fit(mean=2.0, variance=4.0)
        Pareto(scale=2.0, shape=0.0)
        """
        ratio = mean * mean / variance if variance > 0 else np.inf
        shape = float(np.clip((1 - ratio) / 2, -_MOST_SHAPE, _MOST_SHAPE))
        return cls(mean * (1 - shape), shape)

    def above(self, distance: float) -> "Pareto":
        """By how much values exceed a threshold that is higher by so much."""
        return Pareto(max(self.scale + self.shape * distance, 0.0), self.shape)

    def excess(self, share: Floats) -> Floats:
        """What this share of the values exceeds, in (0, 1]."""
        steps = -np.log(share)
        return self.scale * (np.expm1(self.shape * steps) / self.shape if self.shape else steps)

    def mean_excess(self, values: Floats, rng: np.random.Generator) -> Floats:
        """The mean of so many values, drawn; of the shape of `values`, each of which counts as at least 1."""
        mean = self.scale / (1 - self.shape)
        one = self.excess(1 - rng.random(values.shape))
        return np.maximum(mean + (one - mean) / np.sqrt(np.maximum(values, 1)), 0)
