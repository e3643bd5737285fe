"""Every way in which a request can fail, as RFC 9457 problem details, and the one place that turns errors into them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field, TypeAdapter
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect

from api_pokemon.errors import (
    ApiPokemonError,
    InjectedFaultError,
    NoDamagingMoveError,
    UnknownIdError,
    UnknownNameError,
)
from api_pokemon.log_lines import current_request
from api_pokemon.monitoring import LogUnavailableError, NotRecordedError, note_error
from api_pokemon.monitoring.middleware import CLIENT_CLOSED_REQUEST
from api_pokemon.routes.echo import shorten
from api_pokemon.routes.validation import FieldError, explain, field_errors

MEDIA_TYPE = "application/problem+json"


class Kind(Enum):
    """The catalogue of problems: what `Problem.type` can be, with its status, its title and what to do about it."""

    KEY_NEEDED = ("key-needed", 401, "A key is needed", "Send a key that this service knows in the header X-API-Key.")
    KEY_NOT_ENOUGH = ("key-not-enough", 403, "The key does not allow this", "Use a key of the role that is named.")
    FAULTS_NOT_ALLOWED = (
        "faults-not-allowed",
        403,
        "Faults are not allowed here",
        "Set API_POKEMON_FAULTS=true, where callers may be disturbed.",
    )
    UNKNOWN_ID = ("unknown-id", 404, "There is nothing of that id", "GET /pokemon and GET /moves list all ids.")
    UNKNOWN_PREDICTION = (
        "unknown-prediction",
        404,
        "There is no such prediction",
        "Use the `prediction_id` of an answer; very old predictions may have been removed.",
    )
    UNKNOWN_REPORT = (
        "unknown-report",
        404,
        "There is no such drift report",
        "GET /drift/reports lists them; old ones are removed.",
    )
    UNKNOWN_FAULT = ("unknown-fault", 404, "There is no such fault", "GET /faults lists all that can be caused here.")
    NOT_FOUND = ("not-found", 404, "There is no such page", "GET / links every page.")
    WRONG_METHOD = ("wrong-method", 405, "The page does not answer to this method", "Use one that Allow names.")
    FAULT_IMPOSSIBLE = ("fault-impossible", 409, "The fault cannot be caused here", "`detail` says what it would take.")
    OUTCOME_CONTRADICTS = (
        "outcome-contradicts",
        409,
        "The other outcome is on record",
        "GET /predictions/{prediction_id} tells it; it stays.",
    )
    TOO_SLOW = (
        "too-slow",
        408,
        "The body did not arrive in time",
        "Send the request again, all of its body at once.",
    )
    TOO_LARGE = ("too-large", 413, "The body is too large", "Send fewer duels or moves at once.")
    NOT_JSON = (
        "not-json",
        415,
        "The body is declared as something else than JSON",
        "Send the header Content-Type: application/json.",
    )
    MALFORMED = ("malformed-json", 422, "The body is not JSON", "Send one JSON value, in UTF-8.")
    INVALID = (
        "invalid",
        422,
        "The request does not say what it should",
        "`errors` names each bad value and its remedy.",
    )
    UNKNOWN_NAME = (
        "unknown-name",
        422,
        "There is nothing of that name",
        "`suggestions` holds the nearest names; GET /pokemon and GET /moves list all.",
    )
    NO_DAMAGING_MOVE = (
        "no-damaging-move",
        422,
        "Nothing here can do damage",
        "A duel is decided by damaging moves: give at least one, and take Pokémon that know one.",
    )
    RATE_LIMITED = (
        "rate-limited",
        429,
        "Too many requests",
        "Wait as long as Retry-After says, in seconds; RateLimit-Remaining tells how many are left.",
    )
    INTERNAL = ("internal", 500, "The service is broken", "Tell those who run it; the log holds the cause.")
    NOT_RECORDED = (
        "not-recorded",
        503,
        "It could not be recorded",
        "Try again; if it lasts, the disk of the service may be full.",
    )
    LOG_UNAVAILABLE = (
        "log-unavailable",
        503,
        "The prediction log does not answer",
        "Try again; predictions go on meanwhile, and none is lost.",
    )
    STOPPING = (
        "stopping",
        503,
        "The process is about to stop",
        "Send requests to another one; this one answers what it has got, and ends.",
    )

    OVERLOADED = (
        "overloaded",
        503,
        "The service is busy",
        "Try again after as many seconds as Retry-After says; nothing was done.",
    )

    def __init__(self, slug: str, status: int, title: str, remedy: str) -> None:
        self.slug = slug
        self.status = status
        self.title = title
        self.remedy = remedy

    @property
    def uri(self) -> str:
        """The problem's type: a place on the page that explains them all."""
        return f"/problems#{self.slug}"


AT_THE_DOOR = (Kind.RATE_LIMITED, Kind.OVERLOADED)
"""What befalls a request before a route sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong and what to do about it (RFC 9457)."""

    type: Annotated[str, Field(description="Which problem it is, as a link to its explanation.")]
    title: Annotated[str, Field(description="The problem in short, the same each time.")]
    status: Annotated[int, Field(description="The HTTP status.", ge=400, le=599)]
    detail: Annotated[str, Field(description="This very occurrence: the bad value, and what would be right.")]
    instance: Annotated[str, Field(description="The path that was asked for.")]
    errors: Annotated[tuple[FieldError, ...], Field(description="Each bad value of an invalid request.")] = ()
    suggestions: Annotated[tuple[str, ...], Field(description="The nearest names to an unknown one.")] = ()


class ProblemError(Exception):
    """Raised anywhere below the routes to answer with a problem.

    Parameters
    ----------
    kind
        Its type, status and title.
    detail
        The bad value, and what would be right.
    headers
        Sent with the answer.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        suggestions: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.suggestions = suggestions
        self.headers = dict(headers or {})

    def problem(self, instance: str) -> Problem:
        """What the answer's body says."""
        return Problem(
            type=self.kind.uri,
            title=self.kind.title,
            status=self.kind.status,
            detail=self.detail,
            instance=instance,
            errors=self.errors,
            suggestions=self.suggestions,
        )


_PROBLEM = TypeAdapter(Problem)
_KINDS: dict[type[ApiPokemonError], Kind] = {
    UnknownIdError: Kind.UNKNOWN_ID,
    UnknownNameError: Kind.UNKNOWN_NAME,
    NoDamagingMoveError: Kind.NO_DAMAGING_MOVE,
}
CALLERS_FAULT = tuple(_KINDS)
"""The errors of the package that a caller can mend."""


def from_error(error: ApiPokemonError) -> ProblemError:
    """The problem that one of `CALLERS_FAULT` is to the caller."""
    kind = _KINDS[type(error)]
    match error:
        case UnknownIdError():
            return ProblemError(kind, f"{error} GET {_list_of(error.kind)} lists all ids.")
        case UnknownNameError(suggestions=()):
            return ProblemError(kind, f"{error} GET {_list_of(error.kind)} lists all names.")
        case UnknownNameError():
            return ProblemError(kind, str(error), suggestions=error.suggestions)
        case _:
            return ProblemError(kind, str(error))


def _list_of(kind: str) -> str:
    return "/pokemon" if kind == "Pokémon" else "/moves"


def problem_body(error: ProblemError, path: str) -> bytes:
    """The body of the answer to a request for that path, which is shown as it may be shown."""
    return _PROBLEM.dump_json(error.problem(shorten(path)), exclude_defaults=True)


def bare_problem(status: HTTPStatus, detail: str) -> bytes:
    """The body of an answer that comes from below the application, and says no more than its status (RFC 9457, 4.2.1).

    Examples
    --------
    >>> bare_problem(HTTPStatus.BAD_REQUEST, "This is no HTTP.")
    b'{"type":"about:blank","title":"Bad Request","status":400,"detail":"This is no HTTP."}'
    """
    problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    return json.dumps(problem, separators=(",", ":")).encode()


SERVER_PROBLEMS = tuple(kind.slug for kind in Kind if kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR)
"""The error types of the metrics."""


def install_problems(app: Starlette) -> None:
    """Let the application answer every failure with a problem."""
    app.add_exception_handler(ProblemError, _answering(lambda _, error: error))
    app.add_exception_handler(NotRecordedError, _answering(lambda _, error: _not_recorded()))
    app.add_exception_handler(LogUnavailableError, _answering(lambda _, error: _log_unavailable()))
    app.add_exception_handler(InjectedFaultError, _answering(lambda _, error: ProblemError(Kind.INTERNAL, str(error))))
    app.add_exception_handler(ClientDisconnect, _answer_nobody)
    for error_type in CALLERS_FAULT:
        app.add_exception_handler(error_type, _answering(lambda _, error: from_error(error)))
    app.add_exception_handler(RequestValidationError, _answering(lambda _, error: _invalid(error)))
    app.add_exception_handler(HTTPStatus.NOT_FOUND, _answering(lambda request, _: _not_found(request)))
    app.add_exception_handler(HTTPStatus.METHOD_NOT_ALLOWED, _answering(lambda request, _: _wrong_method(request)))
    app.add_exception_handler(Exception, _answering(lambda _, error: _broken()))


def _answering(translate: Callable[[Request, Any], ProblemError]) -> Callable[[Request, Exception], Any]:
    async def answer(request: Request, error: Exception) -> Response:
        raised = translate(request, error)
        if raised.kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            note_error(request.scope, raised.kind.slug)
        return Response(
            problem_body(raised, request.scope["path"]),
            status_code=raised.kind.status,
            headers={"Content-Language": "en", **raised.headers},
            media_type=MEDIA_TYPE,
        )

    return answer


def _invalid(error: RequestValidationError) -> ProblemError:
    errors = field_errors(error.errors())
    return ProblemError(Kind.INVALID, explain(errors), errors=errors)


def _not_recorded() -> ProblemError:
    return ProblemError(
        Kind.NOT_RECORDED, f"What you sent could not be recorded, so it is not answered. {Kind.NOT_RECORDED.remedy}"
    )


def _log_unavailable() -> ProblemError:
    """Without the error's own words, which may tell where the database is."""
    detail = f"What is on record cannot be told just now. {Kind.LOG_UNAVAILABLE.remedy}"
    return ProblemError(Kind.LOG_UNAVAILABLE, detail, headers={"Retry-After": "5"})


async def _answer_nobody(request: Request, error: Exception) -> Response:
    """Nobody reads this, but the metrics count it as what it is, and no traceback fills the log."""
    return Response(status_code=CLIENT_CLOSED_REQUEST)


def _broken() -> ProblemError:
    logged_as = f" as request {current_request.get()}" if current_request.get() else ""
    return ProblemError(
        Kind.INTERNAL, f"An unexpected error; it is logged{logged_as}, and nothing about it is your fault."
    )


def _not_found(request: Request) -> ProblemError:
    return ProblemError(Kind.NOT_FOUND, f"There is no page {_path(request)}; GET / links every page.")


def _wrong_method(request: Request) -> ProblemError:
    allowed = ", ".join(sorted(_allowed_methods(request)))
    detail = f"{_path(request)} does not answer to {shorten(request.method)}, but to {allowed}."
    return ProblemError(Kind.WRONG_METHOD, detail, headers={"Allow": allowed})


def _path(request: Request) -> str:
    """Fit to be shown; `request.url` would also hold what a caller made up as the host."""
    return shorten(request.scope["path"])


def _allowed_methods(request: Request) -> set[str]:
    """Of every route of the path, not of the first alone: that is all that Starlette's own header tells."""
    path = request.scope["path"]
    matching = (route for route in request.app.routes if route.path_regex.match(path))
    methods = {method for route in matching for method in route.methods}
    return methods | {"HEAD"} if "GET" in methods else methods
