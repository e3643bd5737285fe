"""Answers as they are written here, beside those that uvicorn writes: byte for byte the same."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api_pokemon import response_head
from api_pokemon.admission import AdmittingProtocol
from api_pokemon.routes.door import OpenDoor


async def capitals(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", b"0"), (b"X-A", b"b")]})
    await send({"type": "http.response.body"})


async def twice(scope: Scope, receive: Receive, send: Send) -> None:
    for _ in range(2):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})


async def fails(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    raise RuntimeError


def in_parts(length: str, *parts: bytes) -> ASGIApp:
    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", length.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    return answering


ANSWERS: dict[str, Callable[[], ASGIApp]] = {
    "/usual": lambda: Response(b"body", headers={"Vary": "Accept-Language", "X-Request-ID": "a.b"}),
    "/empty": lambda: Response(b""),
    "/no-content": lambda: Response(status_code=204),
    "/chunks": lambda: StreamingResponse(iter([b"one", b"two"])),
    "/closes": lambda: Response(b"body", headers={"Connection": "close"}),
    "/forged": lambda: Response(b"body", headers={"X-Forged": "a\r\nSet-Cookie: b=c"}),
    "/capitals": lambda: capitals,
    "/twice": lambda: twice,
    "/fails": lambda: fails,
    "/ends": lambda: in_parts("4"),
    "/long": lambda: in_parts("1", b"abc"),
    "/short": lambda: in_parts("5", b"abc"),
    "/parts": lambda: in_parts("6", b"abc", b"def"),
    "/one-more-part": lambda: in_parts("3", b"abc", b""),
}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await ANSWERS[scope["path"]]()(scope, receive, send)


@asynccontextmanager
async def served(protocol: Callable[..., asyncio.Protocol]) -> AsyncIterator[int]:
    config = uvicorn.Config(app, http=protocol, lifespan="off", ws="none", log_config=None, date_header=False)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield listener.getsockname()[1]
        server.should_exit = True
        await asyncio.wait_for(serving, 30)


async def answer(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()


@pytest.mark.parametrize("path", ANSWERS)
@pytest.mark.parametrize("first_line", ["GET {} HTTP/1.1", "HEAD {} HTTP/1.1", "GET {} HTTP/1.0"])
async def test_heads_are_those_of_the_server(path: str, first_line: str) -> None:
    last = f"{first_line.format(path)}\r\nHost: service\r\nConnection: close\r\n\r\n".encode()
    kept = last.replace(b"Connection: close\r\n", b"")
    async with served(HttpToolsProtocol) as theirs, served(partial(AdmittingProtocol, OpenDoor())) as ours:
        for each in (last, kept + last, kept + last):  # the second time, lines are known
            written = await answer(ours, each)
            assert written == await answer(theirs, each)
            assert (path == "/forged") == (written == b"")


@pytest.mark.parametrize(
    ("path", "end", "writes"), [("/usual", b"body", 1), ("/empty", b"\r\n\r\n", 1), ("/chunks", b"0\r\n\r\n", 4)]
)
async def test_a_usual_answer_is_one_call_of_the_system(path: str, end: bytes, writes: int) -> None:
    written = []

    class Watched(AdmittingProtocol):
        def connection_made(self, transport: Any) -> None:
            write = transport.write
            transport.write = lambda data: (written.append(bytes(data)), write(data))
            super().connection_made(transport)

    async with served(partial(Watched, OpenDoor())) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: service\r\n\r\n".encode())
        await asyncio.wait_for(reader.readuntil(end), 30)
        writer.close()
    assert len(written) == writes


async def test_lines_that_differ_each_time_are_not_kept() -> None:
    before = len(response_head._lines)
    for number in range(50):
        assert response_head._line(b"x-request-id", b"%d" % number) == b"x-request-id: %d\r\n" % number
    assert len(response_head._lines) == before


def test_no_more_lines_are_kept_than_stay_few() -> None:
    for number in range(2 * response_head._MOST_LINES):
        assert response_head._line(b"x-any", b"%d" % number) == b"x-any: %d\r\n" % number
        assert len(response_head._lines) <= response_head._MOST_LINES
    response_head._lines.clear()
