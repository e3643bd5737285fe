"""Asks a running Prometheus."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import httpx

from api_pokemon.errors import QueryError, UnreachableError
from api_pokemon.stack.served import ServedProgram


class Sample(NamedTuple):
    """One value of an answer.

    Parameters
    ----------
    labels
        With ``__name__`` where the answer has one.
    value
        May be NaN or infinite.
    time_seconds
        Unix time that it is of.
    """

    labels: Mapping[str, str]
    value: float
    time_seconds: float


class Target(NamedTuple):
    """Something that is scraped; ``health`` is ``up``, ``down`` or, before its first scrape, ``unknown``."""

    job: str
    instance: str
    url: str
    health: str
    last_error: str


class Rule(NamedTuple):
    """A rule as Prometheus has loaded it.

    Parameters
    ----------
    kind
        ``alerting`` or ``recording``.
    health
        ``ok``, ``err``, or ``unknown`` before its first evaluation.
    state
        Of an alert, ``inactive``, ``pending`` or ``firing``; else empty.
    """

    name: str
    kind: str
    group: str
    file: str
    query: str
    health: str
    last_error: str
    state: str


class ActiveAlert(NamedTuple):
    """An alert that is ``pending`` or ``firing``, and the Unix time since when its condition holds."""

    name: str
    state: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    active_at_seconds: float
    value: float


class PrometheusClient(ServedProgram):
    """A few of the questions that Prometheus' HTTP API answers.

    Raises
    ------
    UnreachableError
        By every question that nobody answers.
    """

    def query(self, expression: str, time_seconds: float | None = None) -> list[Sample]:
        """Evaluate an expression now, or at a Unix time.

        A scalar is one sample without labels.

        Raises
        ------
        QueryError
            Prometheus cannot evaluate it.
        """
        at = {} if time_seconds is None else {"time": str(time_seconds)}
        answer = self._ask("query", {"query": expression, **at})
        if answer["resultType"] == "scalar":
            return [_sample({}, answer["result"])]
        return [_sample(series["metric"], series["value"]) for series in answer["result"]]

    def value(self, expression: str) -> float | None:
        """The only value of an expression; None where there is none.

        Raises
        ------
        QueryError
            Prometheus cannot evaluate it, or there are several values.
        """
        samples = self.query(expression)
        if len(samples) > 1:
            raise QueryError(f"{expression!r} has {len(samples)} values where one was expected.")
        return samples[0].value if samples else None

    def query_range(
        self, expression: str, start_seconds: float, end_seconds: float, step_seconds: float
    ) -> list[list[Sample]]:
        """Evaluate an expression at each step between two Unix times: a list for each series.

        Raises
        ------
        QueryError
            Prometheus cannot evaluate it.
        """
        between = {"start": str(start_seconds), "end": str(end_seconds), "step": str(step_seconds)}
        answer = self._ask("query_range", {"query": expression, **between})
        return [[_sample(series["metric"], value) for value in series["values"]] for series in answer["result"]]

    def targets(self) -> list[Target]:
        """All that is scraped."""
        return [
            Target(
                target["labels"]["job"],
                target["labels"]["instance"],
                target["scrapeUrl"],
                target["health"],
                target["lastError"],
            )
            for target in self._ask("targets", {"state": "active"})["activeTargets"]
        ]

    def families(self, job: str) -> set[str]:
        """The names of the metrics that the targets of a job have shown; those of counters without their ``_total``."""
        told = self._ask("targets/metadata", {"match_target": f'{{job="{job}"}}'})
        return {_name_of(family["metric"], family["type"]) for family in told}

    def alertmanagers(self) -> list[str]:
        """The URLs that it tells of alerts."""
        return [told["url"] for told in self._ask("alertmanagers")["activeAlertmanagers"]]

    def formatted(self, expression: str) -> str:
        """The same expression as Prometheus would write it, so that two can be compared.

        Raises
        ------
        QueryError
            It is none.
        """
        text: str = self._ask("format_query", {"query": expression})
        return text

    def rules(self) -> list[Rule]:
        """All rules, in the order of their evaluation."""
        return [
            Rule(
                rule["name"],
                rule["type"],
                group["name"],
                group["file"],
                rule["query"],
                rule["health"],
                rule.get("lastError", ""),
                rule.get("state", ""),
            )
            for group in self._ask("rules")["groups"]
            for rule in group["rules"]
        ]

    def alerts(self) -> list[ActiveAlert]:
        """The alerts whose condition holds."""
        return [
            ActiveAlert(
                alert["labels"]["alertname"],
                alert["state"],
                alert["labels"],
                alert["annotations"],
                datetime.fromisoformat(alert["activeAt"]).timestamp(),
                float(alert["value"]),
            )
            for alert in self._ask("alerts")["alerts"]
        ]

    def _ask(self, what: str, parameters: Mapping[str, str] | None = None) -> Any:
        try:
            answer = self._client.get(f"{self.url}/api/v1/{what}", params=parameters)
            document = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise UnreachableError(
                f"No Prometheus answers at {self.url} ({error}). Start the stack with `make stack`."
            ) from error
        if not isinstance(document, dict) or document.get("status") not in ("success", "error"):
            raise UnreachableError(f"What answers at {self.url} is no Prometheus.")
        if document["status"] == "error":
            raise QueryError(f"Prometheus cannot answer {what} {dict(parameters or {})}: {document.get('error')}")
        return document["data"]


def _name_of(family: str, kind: str) -> str:
    """In OpenMetrics the family of an info has its name without the ``_info`` of its sample."""
    return f"{family.removesuffix('_info')}_info" if kind == "info" else family.removesuffix("_total")


def _sample(labels: Mapping[str, str], value: tuple[float, str]) -> Sample:
    time_seconds, number = value
    return Sample(labels, float(number), float(time_seconds))
