import numpy as np
import pytest
from scipy import stats

from api_pokemon.monitoring.pareto import Pareto


@pytest.mark.parametrize("shape", [-0.4, -0.1, 0.0, 0.2, 0.4])
def test_it_is_found_from_its_moments(shape: float) -> None:
    mean, variance = stats.genpareto.stats(shape, scale=3.0, moments="mv")
    found = Pareto.fit(float(mean), float(variance))
    assert (found.scale, found.shape) == pytest.approx((3.0, shape))


@pytest.mark.parametrize("shape", [-0.4, 0.0, 0.4])
def test_its_quantiles_are_those_of_scipy(shape: float) -> None:
    shares = np.array([1.0, 0.5, 0.01, 1e-5])
    assert Pareto(2.0, shape).excess(shares) == pytest.approx(stats.genpareto.isf(shares, shape, scale=2.0))


def test_above_a_higher_threshold_it_is_one_again() -> None:
    beyond = Pareto(2.0, 0.25).above(4.0)
    assert beyond == (3.0, 0.25)
    law = stats.genpareto(0.25, scale=2.0)
    assert beyond.excess(np.array([0.1])) == pytest.approx(law.isf(0.1 * law.sf(4.0)) - 4.0)
    assert Pareto(1.0, -0.5).above(5.0) == (0.0, -0.5)


@pytest.mark.parametrize("rows", [1, 10])
def test_drawn_means_have_its_mean(rows: int) -> None:
    drawn = Pareto(2.0, 0.2).mean_excess(np.full(100_000, float(rows)), np.random.default_rng(1))
    assert drawn.mean() == pytest.approx(2.5, rel=0.02)
    assert drawn.min() >= 0


def test_the_same_excess_has_no_spread() -> None:
    assert Pareto.fit(0.0, 0.0).excess(np.array([1e-6])) == [0.0]
    assert Pareto.fit(2.0, 0.0) == (3.0, -0.5)
