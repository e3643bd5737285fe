"""What is done to every request and answer, as pure ASGI."""

import re
from asyncio import CancelledError
from collections.abc import Iterable
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_pokemon.log_lines import current_request
from api_pokemon.monitoring import new_id
from api_pokemon.routes.problems import MEDIA_TYPE, bare_problem

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""On every answer. Strict-Transport-Security is not among them: only who ends TLS knows that there is some."""

_POLICY = b"content-security-policy"
NO_CONTENT_POLICY = (_POLICY, b"default-src 'none'; frame-ancestors 'none'")
"""On every answer that has no Content-Security-Policy of its own."""

REQUEST_ID = b"x-request-id"
_WELL_FORMED = re.compile(rb"[A-Za-z0-9._:-]{1,64}")


class Envelope:
    """Gives every answer the headers that keep a browser from being clever, and the id of its request.

    The id is the caller's ``X-Request-ID``, if it has up to 64 letters, digits, dots, colons, dashes and underscores,
    and else a new one. Lines of the log about the request carry it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(scope["headers"])
        current_request.set(request_id)

        async def send_enveloped(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = message["headers"]
                headers = [*own, *SECURITY_HEADERS, (REQUEST_ID, request_id.encode())]
                for name, _ in own:  # `any` would take three times as long
                    if name == _POLICY:
                        break
                else:
                    headers.append(NO_CONTENT_POLICY)
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_enveloped)


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The caller's, where it is well-formed, and else a new one."""
    for name, value in headers:
        if name == REQUEST_ID:
            return value.decode() if _WELL_FORMED.fullmatch(value) else new_id()
    return new_id()


class OwnPort:
    """Lets one application alone answer what comes in on a port, and another one all the rest.

    Parameters
    ----------
    app
        Answers the rest.
    port
        Of this machine, on which the server listens too.
    inner
        Answers what comes in there.
    """

    def __init__(self, app: ASGIApp, port: int, inner: ASGIApp) -> None:
        self._app = app
        self._port = port
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_inner = scope["type"] == "http" and (scope.get("server") or ("", 0))[1] == self._port
        await (self._inner if is_inner else self._app)(scope, receive, send)


class HeadAsGet:
    """Answers HEAD wherever GET is answered, with the same headers and no body (RFC 9110, section 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, send_without_body)


class StoppedAsProblem:
    """Answers 503 to a request that is cut off because the service stops, where the server would make it a 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except CancelledError:  # by nobody but the server, as the last thing that it does to a request
            if started:
                raise
            await _answer_stopped(send)


async def _answer_stopped(send: Send) -> None:
    body = bare_problem(HTTPStatus.SERVICE_UNAVAILABLE, "The service stops and cannot finish this; try again.")
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"content-language", b"en"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": HTTPStatus.SERVICE_UNAVAILABLE.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
