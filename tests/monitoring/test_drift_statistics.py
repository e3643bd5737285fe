"""What every statistic keeps, and each against a definition of its own on the raw rows."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from scipy import stats
from scipy.spatial import distance

from api_pokemon.monitoring.drift_detection import CATEGORY_STATISTICS, NUMBER_STATISTICS
from api_pokemon.monitoring.drift_fields import CategoryStatistic, NumberStatistic
from api_pokemon.monitoring.jensen_shannon import jensen_shannon
from api_pokemon.monitoring.kolmogorov_smirnov import kolmogorov_smirnov
from api_pokemon.monitoring.number_distribution import Distribution
from api_pokemon.monitoring.population_stability import population_stability, population_stability_of_numbers
from api_pokemon.monitoring.profile_layout import Floats
from api_pokemon.monitoring.wasserstein import normalised_wasserstein
from tests.monitoring.profiled import SAMPLES, numbers

CHANGES: dict[str, Callable[[Floats], Floats]] = {
    "unchanged": lambda rows: rows,
    "shifted a little": lambda rows: rows + 0.1 * rows.std(),
    "shifted far": lambda rows: rows + 10 * rows.std(),
    "wider": lambda rows: rows.mean() + 1.5 * (rows - rows.mean()),
    "elsewhere": lambda rows: 3 * rows - 20 * rows.std(),
    "partly": lambda rows: np.where(np.arange(len(rows)) % 10 == 0, rows + 2 * rows.std(), rows),
    "constant": lambda rows: np.full(len(rows), np.median(rows)),
}

any_numbers = st_numpy.arrays(
    np.float64, st.integers(0, 12), elements=st.one_of(st.floats(allow_infinity=True), st.integers(-2, 2))
)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", SAMPLES)
def test_wasserstein_is_that_of_the_rows(name: str, change: str) -> None:
    rng = np.random.default_rng(11)
    usual = SAMPLES[name](rng, 10_000)
    rows = CHANGES[change](SAMPLES[name](rng, 2_000))
    exact = stats.wasserstein_distance(usual / usual.std(), rows / usual.std())
    assert float(normalised_wasserstein(numbers(usual), numbers(rows, usual))) == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "counts"])
def test_kolmogorov_smirnov_is_that_of_the_rows(name: str) -> None:
    rng = np.random.default_rng(12)
    usual, rows = SAMPLES[name](rng, 10_000), SAMPLES[name](rng, 2_000)
    for change in CHANGES.values():
        exact = stats.ks_2samp(usual, change(rows), method="asymp").statistic
        found = float(kolmogorov_smirnov(numbers(usual), numbers(change(rows), usual)))
        assert exact - 0.02 <= found <= exact + 1e-9


def test_a_shift_is_told_in_standard_deviations() -> None:
    rows = np.random.default_rng(0).normal(size=10_000)
    shifts = np.array([0.1, 0.2, -3.0])
    moved = [numbers(rows + shift * rows.std(), rows) for shift in shifts]
    assert [float(normalised_wasserstein(numbers(rows), window)) for window in moved] == pytest.approx(
        [0.1, 0.2, 3.0], rel=1e-4
    )


def test_without_spread_it_counts_how_many_differ() -> None:
    constant = np.full(1000, 7.0)
    differing = np.where(np.arange(1000) < 50, 7.000001, 7.0)
    assert float(normalised_wasserstein(numbers(constant), numbers(constant))) == 0
    assert float(normalised_wasserstein(numbers(constant), numbers(differing, constant))) == pytest.approx(
        0.1329, abs=1e-4
    )


def test_jensen_shannon_is_that_of_scipy() -> None:
    rng = np.random.default_rng(4)
    shares = rng.dirichlet(np.full(30, 0.1), size=(2, 50))
    expected = [distance.jensenshannon(one, other) for one, other in zip(*shares, strict=True)]
    assert jensen_shannon(*shares) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("usual", "now", "distance"),
    [
        ([0.9, 0.1], [0.8, 0.2], 0.0998),
        ([0.9, 0.1], [0.7, 0.3], 0.1801),
        ([1.0, 0.0], [0.95, 0.05], 0.1329),
        ([1.0, 0.0], [0.0, 1.0], np.sqrt(np.log(2))),
    ],
)
def test_known_distances(usual: list[float], now: list[float], distance: float) -> None:
    assert float(jensen_shannon(np.array(usual), np.array(now))) == pytest.approx(distance, abs=1e-4)


def test_population_stability_by_hand() -> None:
    assert float(population_stability(np.array([0.5, 0.5, 0.0]), np.array([0.4, 0.5, 0.1]))) == pytest.approx(
        0.1 * np.log(1.25) + 0.0999 * np.log(1000)
    )


def test_population_stability_of_numbers_is_that_of_tenths() -> None:
    rng = np.random.default_rng(5)
    usual, rows = rng.normal(size=10_000), rng.normal(0.5, 1, 10_000)
    deciles = np.quantile(usual, np.linspace(0.1, 0.9, 9))
    one, other = (np.bincount(np.searchsorted(deciles, side), minlength=10) / 10_000 for side in (usual, rows))
    expected = np.sum((other - one) * np.log(other / one))
    assert float(population_stability_of_numbers(numbers(usual), numbers(rows, usual))) == pytest.approx(
        expected, abs=0.01
    )


@pytest.mark.parametrize("statistic", NUMBER_STATISTICS.values(), ids=NUMBER_STATISTICS)
@given(any_numbers, any_numbers)
def test_statistics_of_numbers_are_always_numbers(statistic: NumberStatistic, usual: Floats, rows: Floats) -> None:
    found = float(statistic(numbers(usual), numbers(rows, usual)))
    assert np.isfinite(found)
    assert found >= 0
    assert float(statistic(numbers(usual), numbers(usual))) == 0


@pytest.mark.parametrize("statistic", NUMBER_STATISTICS.values(), ids=NUMBER_STATISTICS)
def test_many_windows_at_once_are_each_on_its_own(statistic: NumberStatistic) -> None:
    rng = np.random.default_rng(6)
    usual = rng.lognormal(size=1000)
    windows = [numbers(rng.lognormal(0.3, 1, 50), usual) for _ in range(20)]
    together = Distribution(
        windows[0].edges,
        np.array([window.shares for window in windows]),
        np.array([window.means for window in windows]),
    )
    alone = [float(statistic(numbers(usual), window)) for window in windows]
    assert statistic(numbers(usual), together).tolist() == pytest.approx(alone)


@pytest.mark.parametrize("statistic", CATEGORY_STATISTICS.values(), ids=CATEGORY_STATISTICS)
@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=1))
def test_statistics_of_categories_are_always_numbers(
    statistic: CategoryStatistic, counts: list[tuple[int, int]]
) -> None:
    usual, rows = (np.array(side) / max(sum(side), 1) for side in zip(*counts, strict=True))
    found = float(statistic(usual, rows))
    assert np.isfinite(found)
    assert found >= 0
    assert float(statistic(usual, usual)) == 0
