"""Answers written at once, head and body together, in about half of the time that the server takes for them."""

from collections.abc import Iterable, Mapping
from typing import Any

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

from api_pokemon.routes.rate_limit import Header

_LENGTH = b"content-length"
_LEFT_TO_THE_SERVER = frozenset({b"connection", b"transfer-encoding"})
_NEVER_THE_SAME = frozenset({b"x-request-id", b"ratelimit-remaining"})
_MOST_LINES = 1000
_lines: dict[Header, bytes] = {}


def writing_at_once(cycle: RequestResponseCycle, app: ASGI3Application) -> ASGI3Application:
    """The application, whose usual answers are written here: each of them by one call of the system.

    A head waits for the body, as ASGI wants it to. Most headers are the same each time, and the server looks into each
    byte of each of them; here their lines are kept. Whatever is not usual (a body in parts, no length, a connection
    that closes, a client that is gone or slow) is left to the server. A head without a body leaves in the end: within
    the application, it has long been counted as an answer that has begun.
    """
    start: ASGISendEvent | None = None

    async def send(message: ASGISendEvent) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and not (start or cycle.response_started):
            start = message
            return
        if start:
            head, start = start, None
            if _write(cycle, head, message):
                return
            await cycle.send(head)
        await cycle.send(message)

    async def run(scope: Scope, receive: ASGIReceiveCallable, _: ASGISendCallable) -> None:
        try:
            await app(scope, receive, send)
        finally:
            if start:
                await cycle.send(start)

    return run


def _write(cycle: RequestResponseCycle, start: Mapping[str, Any], end: Mapping[str, Any]) -> bool:
    """Write a whole answer; false, and nothing is done, where it is not a usual one."""
    if (
        end["type"] != "http.response.body"
        or end.get("more_body")
        or not cycle.keep_alive
        or cycle.disconnected
        or cycle.flow.write_paused
        or cycle.scope["method"] == "HEAD"
    ):
        return False
    body = end.get("body", b"")
    lines = _head((*cycle.default_headers, *start.get("headers", ())), len(body))
    if lines is None:
        return False
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(b"".join((STATUS_LINE[start["status"]], *lines, b"\r\n", body)))
    cycle.message_event.set()
    cycle.on_response()
    return True


def _head(headers: Iterable[Header], length: int) -> list[bytes] | None:
    """The lines of headers; None where they are not the usual ones of a body of that length."""
    is_told = False
    lines = []
    for header in headers:
        line = _lines.get(header)
        if line is None:
            line = _line(*header)
            if line is None:
                return None
        if header[0] == _LENGTH:
            if header[1] != b"%d" % length:
                return None
            is_told = True
        lines.append(line)
    return lines if is_told else None


def _line(name: bytes, value: bytes) -> bytes | None:
    """One line; ASGI asks for names in lower case."""
    if name != name.lower() or name in _LEFT_TO_THE_SERVER or HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        return None
    line = b"%b: %b\r\n" % (name, value)
    if name not in _NEVER_THE_SAME:
        if len(_lines) >= _MOST_LINES:
            _lines.clear()
        _lines[name, value] = line
    return line
