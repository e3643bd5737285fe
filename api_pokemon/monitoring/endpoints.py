"""Which route answered a request, by its template: the label that keeps ids out of metric names."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Mount

if TYPE_CHECKING:
    from fastapi.routing import RouteContext

UNMATCHED = "unmatched"


class EndpointNames:
    """Names the route of a request: ``/users/{id}``, never ``/users/42``.

    The name comes from the route that the router left in the scope; a method that the route does not take (405) has
    that route's name too. Where the router leaves none (mounts and plain Starlette routes under FastAPI, requests that
    a middleware answered before routing), the path is compared with the templates. A path below a mounted application
    has the name of the inner route, or ``/static/{path}`` where there is none. All else is ``unmatched``.

    Every answer is a template out of ``routes`` or ``unmatched``: there are never more names than routes.

    Parameters
    ----------
    routes
        The application's list of routes, read again when a request brings a route that was not in it before.

    Examples
    --------
    >>> from starlette.routing import Route
    >>> names = EndpointNames([Route("/users/{id}", lambda request: None)])
    >>> names.name({"type": "http", "path": "/users/42"}), names.name({"type": "http", "path": "/admin.php"})
    ('/users/{id}', 'unmatched')
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = routes
        self._contexts: list[RouteContext] = []
        self._names: dict[int, str | None] = {}

    def name(self, scope: Mapping[str, Any]) -> str:
        """Return the template of the route that answered, after the application has seen the scope."""
        return self.fixed_name(scope) or _search(self._routes, _path(scope)) or UNMATCHED

    def fixed_name(self, scope: Mapping[str, Any]) -> str | None:
        """Return the name if every request that has this route in its scope has this name, and None otherwise."""
        route = scope.get("route")
        if route is None or "app_root_path" in scope:  # a mount leaves the latter behind
            return None
        # FastAPI's routes are not hashable. Their ids stay theirs, because self._contexts holds the routes.
        key = id(route)
        if key not in self._names:
            self._learn(route)
        return self._names[key]

    def expected(self) -> Iterator[tuple[str, str, list[int]]]:
        """Yield (method, template, statuses) of every route that the application's schema shows, and of no route."""
        for context in _contexts_of(self._routes):
            if getattr(context, "include_in_schema", False) and context.path_format is not None:
                for method in sorted((context.methods or set()) - {"HEAD"}):
                    yield method, context.path_format, _statuses(context)
        yield "GET", UNMATCHED, [404]

    def _learn(self, route: BaseRoute) -> None:
        self._contexts = list(_contexts_of(self._routes))
        names: dict[int, set[str | None]] = {}
        for context in self._contexts:
            names.setdefault(id(context.original_route), set()).add(context.path_format)
        # A router that is included twice has two templates for one route: None says to compare the path.
        self._names = {key: found.pop() if len(found) == 1 else None for key, found in names.items()}
        self._names.setdefault(id(route), None)


def _contexts_of(routes: Sequence[BaseRoute]) -> Iterator["RouteContext"]:
    from fastapi.routing import iter_route_contexts  # loaded where there are routes; to those who have none, 0.25 s

    return iter_route_contexts(routes)


def _statuses(context: "RouteContext") -> list[int]:
    """What a route can answer: as it documents (``"4XX"`` and ``"default"`` name no status), well, or with a failure.

    FastAPI checks a body by itself, and answers 422, documented or not.
    """
    documented = {int(status) for status in getattr(context, "responses", None) or () if str(status).isdecimal()}
    checked = {422} if getattr(context, "body_field", None) is not None else set()
    return sorted({getattr(context, "status_code", None) or 200, 500} | documented | checked)


def _path(scope: Mapping[str, Any]) -> str:
    """Return the path as the outermost router saw it, before mounts took their part."""
    path: str = scope["path"]
    root: str = scope.get("app_root_path", scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _search(routes: Sequence[BaseRoute], path: str) -> str | None:
    for context in _contexts_of(routes):
        regex = getattr(context, "path_regex", None)
        match = regex.match(path) if regex is not None else None
        if match is None:
            continue
        inner = _search(context.routes, "/" + match["path"]) if isinstance(context.original_route, Mount) else None
        return context.path_format if inner is None else f"{context.path}{inner}"
    return None
