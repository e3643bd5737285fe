"""What counts as quiet, as firing and as delivered."""

import pytest

from api_pokemon.stack import ActiveAlert, Delivery, Rule
from api_pokemon.stack.drill.watching import Watching


class Prometheus:
    """Says that these alerts are in these states."""

    def __init__(self) -> None:
        self.states: list[tuple[str, str]] = []

    def alerts(self) -> list[ActiveAlert]:
        return [ActiveAlert(name, state, {}, {}, 0.0, 1.0) for name, state in self.states]

    def rules(self) -> list[Rule]:
        return []


@pytest.fixture
def prometheus() -> Prometheus:
    return Prometheus()


@pytest.fixture
def deliveries() -> list[Delivery]:
    return []


@pytest.fixture
def watching(prometheus: Prometheus, deliveries: list[Delivery]) -> Watching:
    return Watching(prometheus, lambda: deliveries)


def delivery(alert: str, status: str, at: float, **labels: str) -> Delivery:
    return Delivery(alert, status, labels, {}, 0.0, None, at, "everyone")


def test_an_alert_fires_as_soon_as_one_of_its_series_does(watching: Watching, prometheus: Prometheus) -> None:
    prometheus.states = [("A", "firing"), ("A", "pending"), ("B", "pending")]
    watching.look()
    assert (watching.state("A"), watching.state("B"), watching.state("C")) == ("firing", "pending", "")
    assert watching.unrest("B") == "is pending without having been caused"
    prometheus.states = []
    watching.look()
    assert watching.state("A") == watching.unrest("A") == ""
    assert watching.fired == {"A"}


def test_it_is_not_quiet_while_its_end_was_not_told(watching: Watching, deliveries: list[Delivery]) -> None:
    """Alertmanager would take a new firing for the one that it has told of, and tell nobody."""
    deliveries += [delivery("A", "firing", 1.0, instance="1"), delivery("A", "firing", 1.0, instance="2")]
    deliveries.append(delivery("A", "resolved", 2.0, instance="1"))
    watching.look()
    assert watching.unrest("A") == "was told as firing before, and not yet as over"
    deliveries.append(delivery("A", "resolved", 3.0, instance="2"))
    watching.look()
    assert watching.unrest("A") == ""


def test_only_what_came_afterwards_is_a_delivery(watching: Watching, deliveries: list[Delivery]) -> None:
    deliveries += [delivery("A", "firing", 1.0), delivery("A", "resolved", 2.0)]
    watching.look()
    before = watching.heard
    assert before == 2
    watching.look()
    assert not watching.was_delivered("A", "firing", after=before)
    deliveries.append(delivery("A", "firing", 3.0))
    watching.look()
    assert watching.was_delivered("A", "firing", after=before)
    assert not watching.was_delivered("A", "resolved", after=before)
    assert watching.heard == 3
