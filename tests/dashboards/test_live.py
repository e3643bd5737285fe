"""Every panel against the real servers: an empty service, then one whose numbers are known."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.dashboards.committed import FILES, Asked, annotation_queries, panel_queries, variables
from tests.dashboards.grafana import Grafana, Series, choose_all, per_bucket
from tests.dashboards.live import FAILING, PANEL_MINUTE_SECONDS, Seen, watched

NOBODY = "nobody"
PANELS = [asked for name in FILES for asked in panel_queries(name)]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with watched(tmp_path_factory.mktemp("stack")) as seen:
        yield seen


def all_of(asked: Asked) -> dict[str, str]:
    return choose_all(asked.where.partition(":")[0])


def look(grafana: Grafana, title: str, number: int = 0) -> list[Series]:
    """What a query of a panel shows."""
    asked = [asked for asked in PANELS if asked.panel["title"] == title][number]
    return grafana.ask(asked, all_of(asked))


def assert_finite(series: list[Series], where: str) -> None:
    wrong = [(each.labels, value) for each in series for value in each.values if not math.isfinite(value)]
    assert not wrong, where


def five_percent(value: float) -> object:
    return pytest.approx(value, rel=0.05)


def moments(seen: Seen, title: str, number: int = 0, **labels: str) -> list[float]:
    """What the one series of these labels shows at each second of the whole time, as far as there is something."""
    values = []
    for moment in range(math.ceil(seen.whole.since), math.floor(seen.whole.until)):
        found = look(replace(seen.whole, since=moment - 1, until=moment), title, number)
        values += [series.last for series in found if labels.items() <= series.labels.items()]
    return values


def test_an_empty_service_shows_nothing_or_zero(seen: Seen) -> None:
    for asked in PANELS:
        assert_finite(seen.empty.ask(asked, all_of(asked)), asked.where)
    for title in ("Predictions per minute", "Total predictions", "Prediction rate by model version"):
        assert {value for each in look(seen.empty, title) for value in each.values} == {0.0}, title
    for title in ("Mean confidence", "p95 prediction latency", "p95 latency", "Confidence over time", "Error rate"):
        assert look(seen.empty, title) == [], title
    assert set(per_bucket(look(seen.empty, "Win-probability distribution")).values()) <= {0.0}


def test_without_the_comparison_it_would_be_nan(seen: Seen) -> None:
    """So these tests can see NaN."""
    for title in ("p95 latency", "Mean confidence"):
        (asked,) = (asked for asked in PANELS if asked.panel["title"] == title)
        bare = replace(asked, expr=asked.expr.removesuffix(" >= 0"))
        assert [math.isnan(each.last) for each in seen.empty.ask(bare, all_of(bare))] == [True], title


def test_every_query_of_every_panel_returns_finite_values(seen: Seen) -> None:
    for asked in PANELS:
        series = seen.busy.ask(asked, all_of(asked))
        assert series, asked.where
        assert_finite(series, asked.where)


def test_nothing_is_shown_of_nobody(seen: Seen) -> None:
    """Whatever variable has a value that nothing has, each panel that it filters is empty."""
    for asked in PANELS:
        for variable in variables(asked.where.partition(":")[0]):
            if f"${variable}" in asked.expr:
                shown = seen.busy.ask(asked, {**all_of(asked), variable: NOBODY})
                if asked.panel["title"] == "API status":
                    assert [each.values for each in shown] == [[0]], "an API that is not there is down"
                else:
                    assert shown == [], (asked.where, variable)


def test_each_value_chosen_shows_the_same_as_all(seen: Seen) -> None:
    for name in FILES:
        each = seen.busy.choose_each(name)
        for asked in panel_queries(name):
            by_hand, everything = (seen.busy.ask(asked, chosen) for chosen in (each, choose_all(name)))
            assert [series.labels for series in by_hand] == [series.labels for series in everything], asked.where
            for one, other in zip(by_hand, everything, strict=True):
                assert one.values == pytest.approx(other.values), asked.where  # sums may differ in their last digit


def test_a_deployment_is_marked_once(seen: Seen) -> None:
    for name in FILES:
        alerts, deployments = annotation_queries(name)
        seen.whole.ask(alerts, choose_all(name))
        (series,) = replace(seen.whole, since=seen.empty.since - 60).ask(deployments, choose_all(name))
        assert len(series.values) == 1
        assert set(series.labels) == {"version", "commit", "model_version"}


# Under a rate, summed up over the seconds, is what was counted, however steadily it came.


def test_the_request_rate_is_right(seen: Seen) -> None:
    rates = moments(seen, "Request rate by endpoint", endpoint="/predict/best-move")
    assert sum(rates) == five_percent(sum(seen.played))


def test_the_status_codes_are_right(seen: Seen) -> None:
    assert sum(moments(seen, "Status codes", status="500")) == five_percent(seen.played.failed)


def test_the_total_of_predictions_is_right(seen: Seen) -> None:
    (total,) = look(replace(seen.whole, since=seen.empty.since - 60), "Total predictions")
    assert total.values == [five_percent(seen.before.good + seen.played.good)]


def test_predictions_are_per_minute(seen: Seen) -> None:
    assert sum(moments(seen, "Predictions per minute")) / 60 == five_percent(seen.played.good)


def test_the_error_rate_is_right(seen: Seen) -> None:
    share = seen.played.failed / sum(seen.played)
    assert share == five_percent(FAILING)
    assert np.median(moments(seen, "Error rate")) == five_percent(share)
    assert np.median(moments(seen, "Error rate", 1, error_type="internal")) == five_percent(share)
    assert set(moments(seen, "Error rate", 1, error_type="not-recorded")) == {0.0}


def test_the_mean_confidence_is_right(seen: Seen) -> None:
    assert len(seen.probabilities) == seen.played.good
    confidence = float(np.maximum(seen.probabilities, 1 - seen.probabilities).mean())
    assert np.median(moments(seen, "Mean confidence")) == five_percent(confidence)
    assert np.median(moments(seen, "Confidence over time")) == five_percent(confidence)


def test_the_distribution_is_that_of_the_log(seen: Seen) -> None:
    from_the_first_minute = replace(seen.whole, since=seen.whole.since + PANEL_MINUTE_SECONDS)
    shown = per_bucket(look(from_the_first_minute, "Win-probability distribution"))
    total = sum(shown.values())
    below = np.nextafter(seen.probabilities, 0)  # an edge belongs to the bucket that it ends
    logged, _ = np.histogram(below, [0, *shown])
    assert total == five_percent(logged.sum())
    assert np.abs(np.array(list(shown.values())) / total - logged / logged.sum()).sum() / 2 < 0.05


def test_exemplars_lead_to_predictions(seen: Seen) -> None:
    for name in ("api_performance.json", "model_performance.json"):
        (asked,) = (asked for asked in panel_queries(name) if asked.target.get("exemplar"))
        found = seen.busy.exemplars(asked, choose_all(name))
        assert set(found) <= set(seen.ids)
        assert len(found) > 1


def test_the_account_balances(seen: Seen) -> None:
    for title, expected in (("Unaccounted events", 0), ("Pending events", 0), ("Prediction log", 1), ("Stream", 1)):
        assert [each.values for each in look(seen.whole, title)] == [[expected]], title
