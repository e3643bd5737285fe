"""Counts and times every request, at the ASGI level."""

from asyncio import CancelledError
from collections.abc import Callable, MutableMapping, Sequence
from time import perf_counter
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_pokemon.monitoring.endpoints import EndpointNames
from api_pokemon.monitoring.metrics import HttpMetrics
from api_pokemon.monitoring.series import EndpointSeries

CLIENT_CLOSED_REQUEST = 499

_METHODS = {
    method: method for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE")
}


def method_label(method: str) -> str:
    """The method as metrics name it: one that HTTP does not have is ``OTHER``."""
    return _METHODS.get(method, "OTHER")


def note_prediction(scope: MutableMapping[str, Any], prediction_id: str) -> None:
    """Let the latency of this request point to the prediction it made."""
    scope.setdefault("state", {})["exemplar"] = {"prediction_id": prediction_id}


def note_error(scope: MutableMapping[str, Any], error_type: str) -> None:
    """Give the 5xx answer of this request its ``error_type``, one of those that :class:`HttpMetrics` was told."""
    scope.setdefault("state", {})["error_type"] = error_type


class HttpMiddleware:
    """Tells :class:`HttpMetrics` about every request, as pure ASGI.

    The clock runs from the arrival of the request to the last byte of the body, so a stream is timed to its end and a
    background task is not timed at all. What counts as a request's end, and under which status:

    - the last body message was sent: the status that was sent;
    - an exception escapes, or the application returns without an answer: 500, which the server sends in its place.
      Once the answer has begun the status stays what it was, and the exception still counts as an error;
    - the client is gone before an answer has begun: 499, no error;
    - the client is gone in the middle of the answer, which frameworks then leave unfinished: the status that was sent,
      no error.

    Exceptions go on to the server as they came. Other scopes than HTTP pass untouched.

    Parameters
    ----------
    app
        The application within.
    metrics
        Where to count.
    routes
        The routes of the application, whose series are shown at 0 from the start.
    clock
        In seconds; tests bring their own.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: HttpMetrics,
        routes: Sequence[BaseRoute] = (),
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._endpoints = EndpointNames(routes)
        self._clock = clock
        self._known: dict[tuple[int, str], tuple[BaseRoute, EndpointSeries]] = {}
        for method, endpoint, statuses in self._endpoints.expected():
            metrics.expect(method, endpoint, statuses)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        clock = self._clock
        status = 0
        ended = False
        broken = True

        async def watched_send(message: Message) -> None:
            nonlocal status, ended, broken
            try:
                await send(message)
            except OSError:  # how a server says that the client is gone
                broken = False
                raise
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not (ended or message.get("more_body", False)) and message["type"] in _BODIES:
                ended = True
                now = clock()
                self._count(scope, status, now - began, now, status >= 500)

        began = clock()
        try:
            await self._app(scope, receive, watched_send)
            broken = broken and not status
        except (ClientDisconnect, CancelledError):
            broken = False
            raise
        finally:
            if not ended:
                status = status or (500 if broken else CLIENT_CLOSED_REQUEST)
                now = clock()
                self._count(scope, status, now - began, now, broken or status >= 500)

    def _count(self, scope: Scope, status: int, seconds: float, now: float, failed: bool) -> None:
        _, series = self._known.get((id(scope.get("route")), scope["method"]), _UNKNOWN)
        if series is None or "app_root_path" in scope:
            series = self._find(scope)
        state = scope.get("state") or _NOTHING
        error_type = self._metrics.error_type(status, state.get("error_type")) if failed else None
        series.count(status, seconds, now, state.get("exemplar"), error_type)

    def _find(self, scope: Scope) -> EndpointSeries:
        method = method_label(scope["method"])
        series = self._metrics.endpoint(method, self._endpoints.name(scope))
        if method == scope["method"] and self._endpoints.fixed_name(scope):
            route = scope["route"]
            self._known[id(route), method] = (route, series)  # which holds the route, so that its id stays its own
        return series


_BODIES = frozenset({"http.response.body", "http.response.pathsend"})
_NOTHING: dict[str, Any] = {}
_UNKNOWN = (None, None)
