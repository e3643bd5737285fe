"""What is done to every request and answer, as pure ASGI."""

from asyncio import CancelledError
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_pokemon.routes.problems import MEDIA_TYPE, bare_problem

_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_POLICY = b"content-security-policy"
_NOTHING = (_POLICY, b"default-src 'none'; frame-ancestors 'none'")


class SecurityHeaders:
    """Adds the headers that keep a browser from being clever; an answer's own Content-Security-Policy stays."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                own_policy = any(name == _POLICY for name, _ in headers)
                message["headers"] = [*headers, *_SECURITY_HEADERS, *(() if own_policy else (_NOTHING,))]
            await send(message)

        await self._app(scope, receive, send_with_headers)


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
