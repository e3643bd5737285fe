from functools import partial

import numpy as np
import pytest
from scipy import stats

from api_pokemon.monitoring.drift_noise import NoiseLimits, Source, draw, limit
from api_pokemon.monitoring.jensen_shannon import jensen_shannon
from api_pokemon.monitoring.profile_layout import Floats


def source(*counts: float) -> Source:
    usual = np.array(counts)

    def statistic(drawn: Floats, rng: np.random.Generator) -> Floats:
        return jensen_shannon(usual / usual.sum(), drawn / np.maximum(drawn.sum(axis=-1, keepdims=True), 1))

    return Source(usual, statistic)


def _same(source: Source) -> Source:
    return source


def limits(*sources: Source, threshold: float = 0.0, rows: int = 2000) -> NoiseLimits:
    asked = [partial(_same, source) for source in sources]
    return NoiseLimits(asked, rows, rate=0.01, draws=2000, threshold=threshold)


def test_windows_vary_as_two_samples_do() -> None:
    """For small differences, eight times the squared distance is chi-squared, by the sizes of both samples."""
    drawn = draw(source(*[500.0] * 8), 1000, 4000, np.random.default_rng(1))
    squares = 8 * drawn**2 / (1 / 1000 + 1 / 4000)
    assert squares.mean() == pytest.approx(7, rel=0.03)
    assert np.quantile(squares, 0.99) == pytest.approx(stats.chi2.ppf(0.99, 7), rel=0.06)


def test_a_rate_beyond_what_was_drawn_is_continued() -> None:
    drawn = np.random.default_rng(2).standard_exponential(20_000)
    assert limit(drawn, 1e-5) == pytest.approx(-np.log(1e-5), rel=0.15)
    assert limit(drawn, 0.2) == pytest.approx(-np.log(0.2), rel=0.05)
    assert limit(np.zeros(100), 1e-4) == 0


def test_limits_are_found_once_and_the_same_by_everyone() -> None:
    found = limits(source(1000, 1000), source(1900, 100))
    assert found.at(500) is not found.at(500)
    assert found.at(500).tolist() == limits(source(1000, 1000), source(1900, 100)).at(500).tolist()
    assert found.at(500).tolist() == found.at(500).tolist()


def test_more_rows_make_less_noise() -> None:
    found = limits(source(1000, 1000))
    sizes = [0, 1, 50, 100, 200, 300, 2000, 10_000, 50_000, 10**6, 10**9]
    at = [float(found.at(size)[0]) for size in sizes]
    assert at == sorted(at, reverse=True)
    expected = [stats.norm.isf(0.005) * np.sqrt((1 / size + 1 / 2000) / 8) for size in (200, 2000, 10**9)]
    assert [at[4], at[6], at[-1]] == pytest.approx(expected, rel=0.1)


def test_more_fields_need_higher_limits() -> None:
    alone = limits(source(1000, 1000)).at(1000)
    together = limits(*[source(1000, 1000)] * 20).at(1000)
    ratio = stats.norm.isf(0.00025) / stats.norm.isf(0.005)
    assert together.mean() / alone[0] == pytest.approx(ratio, rel=0.05)


def test_limits_that_do_not_decide_take_fewer_draws() -> None:
    drawn = []
    inner = source(1000, 1000)

    def counting(counts: Floats, rng: np.random.Generator) -> Floats:
        drawn.append(len(counts))
        return inner.statistic(counts, rng)

    limits(Source(inner.counts, counting), threshold=1.0).at(1000)
    assert sum(drawn) == 200
    limits(Source(inner.counts, counting), threshold=0.0).at(1000)
    assert sum(drawn) == 2200


def test_no_fields_have_no_limits() -> None:
    assert limits().at(1000).shape == (0,)
