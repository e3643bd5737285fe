"""Counts what is answered before an application sees it, as the middleware counts the rest."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.routing import BaseRoute

from api_pokemon.monitoring.endpoints import EndpointNames
from api_pokemon.monitoring.metrics import HttpMetrics
from api_pokemon.monitoring.middleware import method_label
from api_pokemon.monitoring.series import EndpointSeries


class RefusalMetrics:
    """Tells :class:`HttpMetrics` about requests that a server answers by itself.

    They have the endpoint of the route that would have answered them, found by their path.

    Parameters
    ----------
    metrics
        Where to count.
    routes
        The routes of the application.
    """

    def __init__(self, metrics: HttpMetrics, routes: Sequence[BaseRoute] = ()) -> None:
        self._metrics = metrics
        self._names = EndpointNames(routes)
        self._known: dict[tuple[str, str], EndpointSeries] = {}

    def count(self, scope: Mapping[str, Any], status: int, seconds: float, error_type: str | None = None) -> None:
        """Count one answer; a 5xx needs one of the error types that :class:`HttpMetrics` was told."""
        series = self._known.get((scope["method"], scope["path"])) or self._find(scope)
        failed = self._metrics.error_type(status, error_type) if status >= 500 else None
        series.count(status, seconds, error_type=failed)

    def _find(self, scope: Mapping[str, Any]) -> EndpointSeries:
        method, path = method_label(scope["method"]), scope["path"]
        name = self._names.name(scope)
        series = self._metrics.endpoint(method, name)
        if name == path and method == scope["method"]:  # never more than there are routes
            self._known[method, path] = series
        return series
