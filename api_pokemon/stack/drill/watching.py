"""What Prometheus and the receiver of deliveries tell while alerts are drilled."""

from collections.abc import Callable, Sequence
from typing import Protocol

from api_pokemon.stack.deliveries import Delivery
from api_pokemon.stack.prometheus import ActiveAlert, Rule


class Judge(Protocol):
    """Tells what fires, as :class:`~api_pokemon.stack.PrometheusClient` does."""

    def alerts(self) -> Sequence[ActiveAlert]: ...

    def rules(self) -> Sequence[Rule]: ...


class Watching:
    """The states of alerts, and their deliveries, as of the last look.

    Parameters
    ----------
    prometheus
        Tells what fires.
    deliveries
        Tells all that was delivered so far, in order.
    """

    def __init__(self, prometheus: Judge, deliveries: Callable[[], Sequence[Delivery]]) -> None:
        self._prometheus = prometheus
        self._deliveries = deliveries
        self._states: dict[str, str] = {}
        self._known: set[tuple[object, ...]] = set()
        self._told: dict[tuple[object, ...], str] = {}
        self._came: list[Delivery] = []
        self.fired: set[str] = set()

    def look(self) -> None:
        """Ask both; where one does not answer, all stays as it was.

        Raises
        ------
        UnreachableError
            One does not answer.
        """
        states: dict[str, str] = {}
        for alert in self._prometheus.alerts():
            if states.get(alert.name) != "firing":
                states[alert.name] = alert.state
        for delivery in self._deliveries():
            self._hear(delivery)
        self._states = states
        self.fired |= {name for name, state in states.items() if state == "firing"}

    def _hear(self, delivery: Delivery) -> None:
        which = (delivery.alert, *sorted(delivery.labels.items()))
        once = (*which, delivery.status, delivery.received_at_seconds)
        if once not in self._known:
            self._known.add(once)
            self._told[which] = delivery.status
            self._came.append(delivery)

    @property
    def heard(self) -> int:
        """How many deliveries have come so far."""
        return len(self._came)

    def rules(self) -> set[str]:
        """The alerts that Prometheus judges."""
        return {rule.name for rule in self._prometheus.rules() if rule.kind == "alerting"}

    def state(self, alert: str) -> str:
        """``pending``, ``firing``, or nothing."""
        return self._states.get(alert, "")

    def unrest(self, alert: str) -> str:
        """Why an alert cannot be drilled now: Alertmanager would not tell again what it has told already."""
        if state := self.state(alert):
            return f"is {state} without having been caused"
        if any(status == "firing" for (name, *_), status in self._told.items() if name == alert):
            return "was told as firing before, and not yet as over"
        return ""

    def was_delivered(self, alert: str, status: str, *, after: int) -> bool:
        """Whether that came after so many other deliveries."""
        return any(delivery.alert == alert and delivery.status == status for delivery in self._came[after:])
