import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import HistogramMetricFamily, Sample

from api_pokemon.monitoring.distribution import Distribution

EDGES = (0.01, 0.1, 0.5, 1.0)


def written(distribution: Distribution) -> list[Sample]:
    family = HistogramMetricFamily("wait_seconds", "How long.", labels=["who"])
    distribution.write(family, ["me"])
    return list(family.samples)


@given(st.lists(st.floats(0, 3) | st.sampled_from(EDGES)))
def test_it_exposes_what_the_reference_histogram_exposes(values: list[float]) -> None:
    registry = CollectorRegistry()
    reference = Histogram("wait_seconds", "How long.", ["who"], registry=registry, buckets=EDGES).labels("me")
    distribution = Distribution(EDGES)
    for value in values:
        reference.observe(value)
        distribution.add(value)

    for sample in written(distribution):
        expected = registry.get_sample_value(sample.name, sample.labels)
        assert expected is not None
        assert math.isclose(sample.value, expected, rel_tol=1e-12)
    assert len(written(distribution)) == len(EDGES) + 3


def exemplars(distribution: Distribution) -> dict[str, str]:
    return {
        sample.labels["le"]: sample.exemplar.labels["request"] for sample in written(distribution) if sample.exemplar
    }


def test_each_bucket_keeps_one_exemplar_a_second() -> None:
    distribution = Distribution(EDGES)
    distribution.add(0.05, {"request": "first"}, now=10.0)
    distribution.add(0.06, {"request": "too soon"}, now=10.999)
    distribution.add(0.7, {"request": "slow"}, now=10.999)
    distribution.add(9.0, {"request": "slowest"}, now=10.999)
    assert exemplars(distribution) == {"0.1": "first", "1.0": "slow", "+Inf": "slowest"}

    distribution.add(0.06, {"request": "later"}, now=11.0)
    assert exemplars(distribution) == {"0.1": "later", "1.0": "slow", "+Inf": "slowest"}


@pytest.mark.parametrize(("value", "edge"), [(0.1, "0.1"), (0.1000001, "0.5"), (0.0, "0.01"), (1.0, "1.0")])
def test_a_value_on_an_edge_lies_below_it(value: float, edge: str) -> None:
    distribution = Distribution(EDGES)
    distribution.add(value, {"request": "this"})
    assert exemplars(distribution) == {edge: "this"}
