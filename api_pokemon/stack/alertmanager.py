"""Asks a running Alertmanager."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import httpx

from api_pokemon.errors import UnreachableError
from api_pokemon.stack.served import ServedProgram


class RoutedAlert(NamedTuple):
    """An alert that Alertmanager has.

    Parameters
    ----------
    state
        ``active``; ``suppressed`` where it is silenced or inhibited; ``unprocessed`` at first.
    receivers
        Who is told of it.
    inhibited_by, silenced_by
        Why it is suppressed: the fingerprints of other alerts, the ids of silences.
    """

    name: str
    state: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    receivers: tuple[str, ...]
    inhibited_by: tuple[str, ...]
    silenced_by: tuple[str, ...]
    starts_at_seconds: float
    fingerprint: str


class AlertmanagerStatus(NamedTuple):
    """Its version, and the configuration that it runs on, in which it hides the secrets."""

    version: str
    configuration: str


class AlertmanagerClient(ServedProgram):
    """A few of the questions that Alertmanager's HTTP API answers.

    Raises
    ------
    UnreachableError
        By every question that nobody answers.
    """

    def alerts(self) -> list[RoutedAlert]:
        """All that have not resolved."""
        return [
            RoutedAlert(
                alert["labels"]["alertname"],
                alert["status"]["state"],
                alert["labels"],
                alert["annotations"],
                tuple(receiver["name"] for receiver in alert["receivers"]),
                tuple(alert["status"]["inhibitedBy"]),
                tuple(alert["status"]["silencedBy"]),
                datetime.fromisoformat(alert["startsAt"]).timestamp(),
                alert["fingerprint"],
            )
            for alert in self._ask("alerts")
        ]

    def status(self) -> AlertmanagerStatus:
        document = self._ask("status")
        return AlertmanagerStatus(document["versionInfo"]["version"], document["config"]["original"])

    def _ask(self, what: str) -> Any:
        try:
            answer = self._client.get(f"{self.url}/api/v2/{what}")
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise UnreachableError(
                f"No Alertmanager answers at {self.url} ({error}). Start the stack with `make stack`."
            ) from error
