"""Routes that are found at once."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api_pokemon.routes.json_route import JsonRoute


class Shortcuts:
    """Hands a request to its `JsonRoute` by method and path; everything else goes the usual way.

    FastAPI's router tries the pattern of one route after the other, and it and what lies around it do some bookkeeping
    for each request, which would take a sixth of a prediction's time.

    Parameters
    ----------
    app
        The usual way.
    routes
        In the order in which a router tries them; those without parameters in their path can be found so.
    handlers
        What answers an error, by its kind. One that only has that of every `Exception` also goes on to who calls, which
        writes it into the log.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute], handlers: Mapping[Any, Callable[..., Any]]) -> None:
        self._app = app
        self._handlers = {kind: handler for kind, handler in handlers.items() if isinstance(kind, type)}
        self._routes = {
            (method, route.path): route
            for route in routes
            if isinstance(route, JsonRoute) and not route.param_convertors
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = None
        if scope["type"] == "http" and not scope.get("root_path"):
            route = self._routes.get((scope["method"], scope["path"]))
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"], scope["endpoint"], scope["path_params"] = route, route.endpoint, {}
        try:
            await route.app(scope, receive, send)
        except Exception as error:  # each kind has its answer; what nobody foresaw goes on, too
            kind = next(kind for kind in type(error).__mro__ if kind in self._handlers)
            if response := await self._handlers[kind](Request(scope), error):
                await response(scope, receive, send)
            if kind is Exception:
                raise
