import numpy as np
import pytest
from scipy import stats

from api_pokemon.monitoring.number_distribution import Distribution, coarser, distribution, lower_tail, upper_tail
from api_pokemon.monitoring.profile_layout import Floats
from tests.monitoring.profiled import SAMPLES, number_profile, numbers


@pytest.mark.parametrize("name", SAMPLES)
def test_the_standard_deviation_is_that_of_the_rows(name: str) -> None:
    rows = SAMPLES[name](np.random.default_rng(1), 10_000)
    assert float(numbers(rows).standard_deviation()) == pytest.approx(rows.std(), rel=1e-3)


def test_rows_beyond_the_edges_are_at_their_mean() -> None:
    usual = np.arange(101.0)
    found = distribution(number_profile(usual, np.array([-10.0, -20.0, 50.0, 130.0])), 0)
    assert found.means[0] == pytest.approx(-15, abs=0.05)
    assert found.means[-1] == pytest.approx(130, abs=0.05)
    assert found.shares[[0, -1]].tolist() == [0.5, 0.25]


def test_what_is_put_together_keeps_its_mean() -> None:
    rows = np.random.default_rng(2).lognormal(size=10_000)
    fine = numbers(rows)
    coarse = coarser(fine, 100)
    assert (len(fine.shares), len(coarse.shares)) == (248, 128)
    assert coarse.edges[[0, -1]].tolist() == fine.edges[[0, -1]].tolist()
    assert np.all(np.diff(coarse.edges) > 0)
    assert coarse.shares.sum() == pytest.approx(1)
    assert np.sum(coarse.shares * coarse.means) == pytest.approx(rows.mean(), rel=1e-6)


@pytest.mark.parametrize(
    ("rows", "scale", "shape"),
    [
        (stats.expon.ppf(np.linspace(0.00005, 0.99995, 10_000)), 1.0, 0.0),
        (stats.genpareto.ppf(np.linspace(0.00005, 0.99995, 10_000), 0.3), None, 0.3),
        (np.linspace(0, 1, 10_000), 0.0, -0.5),
        (np.repeat([1.0, 2.0], 5000), 0.0, -0.5),
    ],
)
def test_a_tail_is_continued(rows: Floats, scale: float | None, shape: float) -> None:
    upper, lower = upper_tail(numbers(rows), 0.005), lower_tail(numbers(-rows), 0.005)
    assert upper.shape == pytest.approx(shape, abs=0.12)
    assert scale is None or upper.scale == pytest.approx(scale, abs=0.12)
    assert (lower.scale, lower.shape) == pytest.approx((upper.scale, upper.shape), abs=0.03)


def test_no_values_have_no_tail() -> None:
    nothing = Distribution(np.array([0.0, 1.0]), np.zeros(3), np.zeros(3))
    assert upper_tail(nothing, 0.1) == (0.0, 0.0)
    assert float(nothing.standard_deviation()) == 0.0
