"""The fast lane: JSON in, JSON out, with nothing of FastAPI in between but its router and its documentation."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect

from api_pokemon.routes.echo import shorten
from api_pokemon.routes.languages import choose_language, language_headers
from api_pokemon.routes.problems import Kind, ProblemError
from api_pokemon.routes.validation import explain, field_errors

MOST_BYTES = 64 * 1024
TOO_LARGE = f"The body has more than {MOST_BYTES} bytes (64 kB); send fewer duels or moves at once."

Headers = Mapping[bytes, bytes]


class JsonRoute(APIRoute):
    """A route for a function of (request, body, language, **path), which answers with a dataclass.

    The parameters of the path are handed over by name, as the texts that they are.

    FastAPI reads the function's signature for its documentation; when a request comes, the dependency solver is left
    out, which halves the time of the whole framework (32 to 13 µs). The body is validated from its bytes, and the
    answer is written straight to bytes. Of FastAPI's dependencies, those of the route (``dependencies=``) do run; they
    take the request alone.
    """

    def get_route_handler(self) -> Callable[[Request], Any]:
        body_type = self.body_field.field_info.annotation if self.body_field else None
        if not (isinstance(body_type, type) and issubclass(body_type, BaseModel)):
            raise TypeError(f"{self.endpoint.__name__} must take one body, which is a pydantic model.")
        return JsonHandler(
            tuple(depends.dependency for depends in self.dependencies if depends.dependency is not None),
            body_type,
            self.endpoint,
            TypeAdapter(self.response_model),
        ).handle


class JsonHandler:
    """Takes a request through its stations.

    Parameters
    ----------
    guards
        Called with the request before anything of it is read; each raises to turn it away.
    body_type
        What the body must be.
    endpoint
        Answers; takes the request, the body, the caller's language, and the parameters of the path by name.
    answer_type
        What the endpoint returns.
    """

    def __init__(
        self,
        guards: tuple[Callable[[Request], Awaitable[None]], ...],
        body_type: type[BaseModel],
        endpoint: Callable[..., Awaitable[Any]],
        answer_type: TypeAdapter[Any],
    ) -> None:
        self._guards = guards
        self._body_type = body_type
        self._endpoint = endpoint
        self._answer_type = answer_type

    async def handle(self, request: Request) -> Response:
        for guard in self._guards:
            await guard(request)
        headers: Headers = dict(request.scope["headers"])
        body = await _read_body(request, headers)
        _check_media_type(headers)
        try:
            question = self._body_type.model_validate_json(body)
        except ValidationError as error:
            raise _invalid_body(body, error) from None
        language = choose_language(headers.get(b"accept-language", b"").decode("latin-1"))
        answer = await self._endpoint(request, question, language, **request.path_params)
        return Response(
            self._answer_type.dump_json(answer), media_type="application/json", headers=language_headers(language)
        )


def _check_media_type(headers: Headers) -> None:
    """Refuse what is declared as something else, such as a form; what is not declared at all is read as JSON."""
    declared = headers.get(b"content-type", b"application/json")
    if declared == b"application/json":
        return
    media_type = declared.partition(b";")[0].strip().lower()
    if media_type not in (b"application/json", b""):
        shown = shorten(media_type.decode("latin-1"))
        raise ProblemError(
            Kind.NOT_JSON, f"Content-Type is {shown}; send a JSON body with Content-Type: application/json."
        )


async def _read_body(request: Request, headers: Headers) -> bytes:
    """The body, which is measured while it comes in: what Content-Length says is a promise, and may be missing."""
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and (len(declared) > len(str(MOST_BYTES)) or int(declared) > MOST_BYTES):
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    async for part in _parts(request):
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise _too_large()
    return b"".join(parts)


async def _parts(request: Request) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        yield message.get("body", b"")


def _too_large() -> ProblemError:
    # The rest of the body is not read, so the connection cannot be used again.
    return ProblemError(Kind.TOO_LARGE, TOO_LARGE, headers={"Connection": "close"})


def _invalid_body(body: bytes, error: ValidationError) -> ProblemError:
    findings = error.errors(include_url=False)
    if findings[0]["type"] == "json_invalid":
        reason = findings[0]["ctx"]["error"]
        detail = f"{reason[0].upper()}{reason[1:]}." if body else "The body is empty; send a JSON object."
        return ProblemError(Kind.MALFORMED, detail)
    errors = field_errors([{**finding, "loc": ("body", *finding["loc"])} for finding in findings])
    return ProblemError(Kind.INVALID, explain(errors), errors=errors)
