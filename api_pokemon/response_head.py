"""Heads of answers, written in a third of the time that the server takes for it."""

from collections.abc import Awaitable, Iterable

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

from api_pokemon.routes.rate_limit import Header

_LENGTH = b"content-length"
_LEFT_TO_THE_SERVER = frozenset({b"connection", b"transfer-encoding"})
_NEVER_THE_SAME = frozenset({_LENGTH, b"date", b"x-request-id", b"ratelimit-remaining", b"ratelimit-reset"})
_MOST_LINES = 1000
_lines: dict[Header, bytes] = {}


def writing_heads(cycle: RequestResponseCycle, app: ASGI3Application) -> ASGI3Application:
    """The application, the usual heads of whose answers are written here.

    Most headers are the same each time, and the server looks into each byte of each of them; here their lines are kept.
    Whatever is not usual (no length, a connection that closes, a client that is gone or slow) is left to the server.
    """

    async def send(message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start" and _is_free(cycle):
            head = _head(cycle, message["status"], message.get("headers", ()))
            if head:
                cycle.response_started, cycle.waiting_for_100_continue = True, False
                cycle.transport.write(head)
                return
        await cycle.send(message)

    def run(scope: Scope, receive: ASGIReceiveCallable, _: ASGISendCallable) -> Awaitable[None]:
        return app(scope, receive, send)

    return run


def _is_free(cycle: RequestResponseCycle) -> bool:
    return cycle.keep_alive and not (cycle.response_started or cycle.disconnected or cycle.flow.write_paused)


def _head(cycle: RequestResponseCycle, status: int, headers: Iterable[Header]) -> bytes | None:
    """A whole head; None where it is not a usual one."""
    length = None
    lines = [STATUS_LINE[status]]
    for header in (*cycle.default_headers, *headers):
        line = _lines.get(header)
        if line is None:
            line = _line(*header)
            if line is None:
                return None
            if header[0] == _LENGTH:
                length = header[1]
        lines.append(line)
    if length is None:
        return None
    cycle.chunked_encoding, cycle.expected_content_length = False, int(length)
    lines.append(b"\r\n")
    return b"".join(lines)


def _line(name: bytes, value: bytes) -> bytes | None:
    """One of its lines; ASGI asks for names in lower case."""
    if name != name.lower() or name in _LEFT_TO_THE_SERVER or HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        return None
    line = b"%b: %b\r\n" % (name, value)
    if name not in _NEVER_THE_SAME and len(_lines) < _MOST_LINES:
        _lines[name, value] = line
    return line
