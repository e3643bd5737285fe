"""Who is let in: decided, and refused, before anything else is done for a request."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from time import perf_counter
from typing import Any, NamedTuple, Protocol

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from api_pokemon.monitoring.middleware import CLIENT_CLOSED_REQUEST
from api_pokemon.monitoring.refusals import RefusalMetrics
from api_pokemon.routes.asgi import NO_CONTENT_POLICY, REQUEST_ID, SECURITY_HEADERS, request_id_of
from api_pokemon.routes.json_route import TOO_LARGE
from api_pokemon.routes.lanes import Lane, Lanes
from api_pokemon.routes.origins import Origins
from api_pokemon.routes.problems import MEDIA_TYPE, Kind, ProblemError, problem_body
from api_pokemon.routes.rate_limit import Allowance, Header
from api_pokemon.routes.unread import headers_of_one

Scope = Mapping[str, Any]
"""What ASGI tells of a request."""

RETRY_SECONDS = 1
"""What overload asks of callers. A client that obeys spreads its next try; the service itself recovers at once."""


class Admission:
    """A request may be worked on, and has its place in a lane until it leaves.

    Parameters
    ----------
    lane
        Which it enters.
    headers
        Its answer gets them.
    """

    __slots__ = ("_lane", "headers")

    def __init__(self, lane: Lane, headers: Sequence[Header] = ()) -> None:
        lane.enter()
        self._lane: Lane | None = lane
        self.headers = headers

    def leave(self) -> None:
        """Give the place back, once: when the answer is sent, or when the task is done without one."""
        if self._lane:
            self._lane.leave()
            self._lane = None


class Refusal(NamedTuple):
    """A whole answer, ready to be sent, without the headers that the server adds."""

    head: bytes
    body: bytes


class Limiter(Protocol):
    """Counts requests by who sends them."""

    def ask(self, scope: Scope) -> Allowance: ...


class Door(Protocol):
    """Stands between a server and its application."""

    def admit(self, scope: Scope) -> Admission | Refusal:
        """Decide about a request whose body is there."""
        ...

    def refuse_unread(self, data: bytes) -> Refusal | None:
        """Refuse what came on a connection that waits for nothing else, unread; None where it is to be read."""
        ...

    def too_slow(self, scope: Scope, seconds: float) -> Refusal:
        """Refuse a request whose body has not arrived after so long."""
        ...

    def too_large(self, scope: Scope) -> Refusal:
        """Refuse a request whose body is, or says that it will be, more than any route takes."""
        ...

    def gone(self, scope: Scope, seconds: float) -> None:
        """Note that the client went away before its body was there."""
        ...

    def broken(self, scope: Scope, seconds: float) -> None:
        """Note that what came as its body was no HTTP, after so long."""
        ...

    def crowded(self) -> None:
        """Note that a connection was refused, as there are too many."""
        ...


def put_door(app: Starlette, door: Door) -> None:
    """Put a door between an application and the server that will run it."""
    app.state.door = door


def door_of(app: Starlette) -> Door:
    """The door of an application; an open one where none was put there."""
    door: Door = getattr(app.state, "door", None) or OpenDoor()
    return door


class OpenDoor:
    """Lets everyone in, and counts nobody: for a process that nobody but its operators asks."""

    def __init__(self) -> None:
        self._lane = Lane(1 << 30)

    def admit(self, scope: Scope) -> Admission:
        return Admission(self._lane)

    def refuse_unread(self, data: bytes) -> None:
        """Read everything."""

    def too_slow(self, scope: Scope, seconds: float) -> Refusal:
        return _named(_written(_too_slow(seconds), scope["path"]), scope)

    def too_large(self, scope: Scope) -> Refusal:
        return _named(_written(_TOO_LARGE, scope["path"]), scope)

    def gone(self, scope: Scope, seconds: float) -> None:
        """Nobody counts."""

    def broken(self, scope: Scope, seconds: float) -> None:
        """Nobody counts."""

    def crowded(self) -> None:
        """Nobody counts."""


class GuardedDoor:
    """Lets in as many as can be worked on, and answers the others in a tenth of the time that an answer takes.

    Whoever is refused so has not used up anything of what the limiter grants.

    Parameters
    ----------
    lanes
        How many may be in work.
    limiter
        How often each caller may ask.
    metrics
        Counts those who are refused.
    routes
        Of the application; the refusals of those paths that are always the same are written once, and POST requests to
        them are refused unread.
    origins
        Whose pages may read a refusal, such as ``https://page.example``.
    """

    def __init__(
        self,
        lanes: Lanes,
        limiter: Limiter,
        metrics: RefusalMetrics,
        routes: Sequence[BaseRoute] = (),
        origins: Iterable[str] = (),
    ) -> None:
        self._lanes = lanes
        self._limiter = limiter
        self._metrics = metrics
        self._origins = Origins(origins)
        self._fixed = frozenset(path for route in routes if "{" not in (path := getattr(route, "path", "{")))
        self._overloaded: dict[str, Refusal] = {}
        self._unread = {
            f"POST {path} HTTP/1.1".encode(): (lanes.of(path), path)
            for route in routes
            if (path := getattr(route, "path", "")) in self._fixed and "POST" in (getattr(route, "methods", None) or ())
        }

    def admit(self, scope: Scope) -> Admission | Refusal:
        lane = self._lanes.of(scope["path"])
        if lane.is_full:
            return self._overload(scope)
        allowance = self._limiter.ask(scope) if lane.rated else _UNCOUNTED
        return Admission(lane, allowance.headers) if allowance.granted else self._too_many(scope, allowance)

    def refuse_unread(self, data: bytes) -> Refusal | None:
        known = self._unread.get(data[: data.find(b"\r\n")])
        if known is None:
            return None
        lane, path = known
        if not lane.is_full:
            return None
        headers = headers_of_one(data)
        return None if headers is None else self._overload({"method": "POST", "path": path, "headers": headers})

    def too_slow(self, scope: Scope, seconds: float) -> Refusal:
        self._metrics.count(scope, Kind.TOO_SLOW.status, seconds)
        return self._addressed(_written(_too_slow(seconds), scope["path"]), scope)

    def too_large(self, scope: Scope) -> Refusal:
        self._metrics.count(scope, Kind.TOO_LARGE.status, 0.0)
        return self._addressed(_written(_TOO_LARGE, scope["path"]), scope)

    def gone(self, scope: Scope, seconds: float) -> None:
        self._metrics.count(scope, CLIENT_CLOSED_REQUEST, seconds)

    def broken(self, scope: Scope, seconds: float) -> None:
        self._metrics.count(scope, HTTPStatus.BAD_REQUEST.value, seconds)

    def crowded(self) -> None:
        self._metrics.count(_NO_REQUEST, Kind.OVERLOADED.status, 0.0, Kind.OVERLOADED.slug)

    def _addressed(self, refusal: Refusal, scope: Scope) -> Refusal:
        named = _named(refusal, scope)
        return Refusal(named.head + self._origins.lines(scope["headers"]), named.body)

    def _too_many(self, scope: Scope, allowance: Allowance) -> Refusal:
        began = perf_counter()
        refusal = self._addressed(_written(_rate_limited(allowance), scope["path"]), scope)
        self._metrics.count(scope, Kind.RATE_LIMITED.status, perf_counter() - began)
        return refusal

    def _overload(self, scope: Scope) -> Refusal:
        began = perf_counter()
        path = scope["path"]
        refusal = self._overloaded.get(path) or _written(_OVERLOADED, path)
        if path in self._fixed:
            self._overloaded[path] = refusal
        refusal = self._addressed(refusal, scope)
        self._metrics.count(scope, Kind.OVERLOADED.status, perf_counter() - began, Kind.OVERLOADED.slug)
        return refusal


_NO_REQUEST: Scope = {"method": "", "path": "", "headers": ()}
_UNCOUNTED = Allowance(granted=True)
_TOO_LARGE = ProblemError(Kind.TOO_LARGE, TOO_LARGE)
_OVERLOADED = ProblemError(
    Kind.OVERLOADED,
    f"More is asked than the service can answer now. {Kind.OVERLOADED.remedy}",
    headers={"Retry-After": str(RETRY_SECONDS)},
)


def _rate_limited(allowance: Allowance) -> ProblemError:
    seconds = allowance.reset_seconds
    detail = f"You have sent as many requests as you may for now; the next are answered in {seconds} seconds."
    told = {name.decode(): value.decode() for name, value in allowance.headers}
    return ProblemError(Kind.RATE_LIMITED, detail, headers={"Retry-After": str(seconds), **told})


def _too_slow(seconds: float) -> ProblemError:
    detail = f"The body of the request was not there after {seconds:.0f} seconds. {Kind.TOO_SLOW.remedy}"
    return ProblemError(Kind.TOO_SLOW, detail)


def _written(error: ProblemError, path: str) -> Refusal:
    body = problem_body(error, path)
    status = HTTPStatus(error.kind.status)
    own = {"Content-Type": MEDIA_TYPE, "Content-Language": "en", "Content-Length": str(len(body)), **error.headers}
    named = ((name.lower().encode(), value.encode()) for name, value in own.items())
    headers = [*named, *SECURITY_HEADERS, NO_CONTENT_POLICY]
    lines = [f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode(), *(b"%b: %b\r\n" % header for header in headers)]
    return Refusal(b"".join(lines), body)


def _named(refusal: Refusal, scope: Scope) -> Refusal:
    """With the id of this very request."""
    return Refusal(b"%b%b: %b\r\n" % (refusal.head, REQUEST_ID, request_id_of(scope["headers"]).encode()), refusal.body)
