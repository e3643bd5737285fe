"""The fast lane: JSON in, JSON out, with nothing of FastAPI in between but its router and its documentation."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from api_pokemon.routes.echo import shorten
from api_pokemon.routes.languages import LANGUAGES, choose_language, language_headers
from api_pokemon.routes.problems import Kind, ProblemError
from api_pokemon.routes.validation import explain, field_errors

MOST_BYTES = 64 * 1024
TOO_LARGE = f"The body has more than {MOST_BYTES} bytes (64 kB); send fewer duels or moves at once."

Headers = Mapping[bytes, bytes]


class JsonRoute(APIRoute):
    """A route for a function of (request, body, language, **path), which answers with a dataclass.

    The parameters of the path are handed over by name, as the texts that they are.

    FastAPI reads the function's signature for its documentation; when a request comes, only its router has a part in
    it, which takes a third of the time of the whole framework. The body is validated from its bytes, and the answer is
    written straight to bytes. Of FastAPI's dependencies, those of the route (``dependencies=``) do run; they take the
    request alone.
    """

    def __init__(self, path: str, endpoint: Callable[..., Awaitable[Any]], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        body_type = self.body_field.field_info.annotation if self.body_field else None
        if not (isinstance(body_type, type) and issubclass(body_type, BaseModel)):
            raise TypeError(f"{endpoint.__name__} must take one body, which is a pydantic model.")
        guards = tuple(depends.dependency for depends in self.dependencies if depends.dependency is not None)
        self.app = JsonHandler(guards, body_type, endpoint)


class JsonHandler:
    """Takes a request through its stations, as ASGI.

    Parameters
    ----------
    guards
        Called with the request before anything of it is read; each raises to turn it away.
    body_type
        What the body must be.
    endpoint
        Answers; takes the request, the body, the caller's language, and the parameters of the path by name.
    """

    def __init__(
        self,
        guards: tuple[Callable[[Request], Awaitable[None]], ...],
        body_type: type[BaseModel],
        endpoint: Callable[..., Awaitable[Any]],
    ) -> None:
        self._guards = guards
        self._body_type = body_type
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        for guard in self._guards:
            await guard(request)
        headers: Headers = dict(scope["headers"])
        body = await _read_body(receive, headers)
        _check_media_type(headers)
        try:
            question = self._body_type.model_validate_json(body)
        except ValidationError as error:
            raise _invalid_body(body, error) from None
        language = choose_language(headers.get(b"accept-language", b"").decode("latin-1"))
        answer = _encode(await self._endpoint(request, question, language, **scope["path_params"]))
        length = (b"content-length", b"%d" % len(answer))
        await send({"type": "http.response.start", "status": 200, "headers": [length, *_ANSWER_HEADERS[language]]})
        await send({"type": "http.response.body", "body": answer})


_encode = msgspec.json.Encoder().encode
_ANSWER_HEADERS = {
    language: tuple(
        (name.lower().encode(), value.encode())
        for name, value in {**language_headers(language), "Content-Type": "application/json"}.items()
    )
    for language in LANGUAGES
}


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


async def _read_body(receive: Receive, headers: Headers) -> bytes:
    """The body, which is measured while it comes in: what Content-Length says is a promise, and may be missing."""
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and (len(declared) > len(str(MOST_BYTES)) or int(declared) > MOST_BYTES):
        raise _too_large()
    body, more = await _read_part(receive)
    if more:
        parts, size = [body], len(body)
        while more and size <= MOST_BYTES:
            part, more = await _read_part(receive)
            parts.append(part)
            size += len(part)
        body = b"".join(parts)
    if len(body) > MOST_BYTES:
        raise _too_large()
    return body


async def _read_part(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


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
