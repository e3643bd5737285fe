"""Clients that never finish what they began, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api_pokemon.connections import BoundedProtocol, Limits, look_at_all, most_connections
from tests.servers import wait_until

LOOK_SECONDS = 0.05
GET = b"GET / HTTP/1.1\r\nHost: service\r\n"
LARGE = 8 << 20


class Quick(BoundedProtocol):
    limits: ClassVar[Limits] = Limits(connections=20, head_seconds=0.5, unread_seconds=1.5, linger_seconds=0.5)


class Server(uvicorn.Server):
    port = 0

    async def on_tick(self, counter: int) -> bool:
        look_at_all(self.server_state.connections)
        return await super().on_tick(counter)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the length of the body, after a time that is longer than every limit where it is asked to."""
    request = Request(scope, receive)
    length = len(await request.body())
    if request.url.path == "/slow":
        await asyncio.sleep(1.5)
    body = b"x" * LARGE if request.url.path == "/large" else b"%d" % length
    await Response(body)(scope, receive, send)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    config = uvicorn.Config(app, http=Quick, loop="asyncio", lifespan="off", ws="none", log_config=None)
    server = Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield server
        server.should_exit = True
        await asyncio.wait_for(serving, 30)


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All until the server closes the connection, which it must."""
    return await asyncio.wait_for(reader.read(), 30)


async def reached(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the server brings it about
            await asyncio.sleep(LOOK_SECONDS)


async def trickle(writer: asyncio.StreamWriter, part: bytes) -> None:
    """Send a little again and again, until the server has had enough."""
    try:
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(LOOK_SECONDS)
    except ConnectionError:
        pass


class TestEnd:
    async def test_who_goes_on_sending_still_reads_the_refusal(self, server: Server) -> None:
        async with connected(server) as (reader, writer):
            writer.write(GET + b"X-Much: " + b"x" * (32 << 10))
            sending = asyncio.create_task(trickle(writer, b"x" * 4096))
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            await asyncio.sleep(3 * LOOK_SECONDS)
            body = await asyncio.wait_for(reader.read(1 << 20), 30)
            sending.cancel()
        assert head.startswith(b"HTTP/1.1 431 ")
        assert b"16384 bytes" in body

    async def test_who_never_closes_is_let_go(self, server: Server) -> None:
        async with connected(server) as (reader, writer):
            writer.write(b"GET / HTTP/9.9\r\n\r\n")
            assert (await rest(reader)).startswith(b"HTTP/1.1 400 ")
            await reached(lambda: not server.server_state.connections)


class TestTime:
    async def test_headers_that_never_end_are_cut_off_however_lively_they_come(self, server: Server) -> None:
        async with connected(server) as (reader, writer):
            writer.write(GET)
            sending = asyncio.create_task(trickle(writer, b"X-More: 1\r\n"))
            answer = await rest(reader)
            sending.cancel()
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"x-content-type-options: nosniff" in answer
        assert b"content-security-policy: default-src 'none'" in answer
        assert b"\r\nx-request-id: " in answer

    async def test_half_a_line_is_cut_off(self, server: Server) -> None:
        async with connected(server) as (reader, writer):
            writer.write(b"GET / HT")
            assert (await rest(reader)).startswith(b"HTTP/1.1 408 ")

    @pytest.mark.parametrize("sent", [b"", b"\r\n"])
    async def test_who_says_nothing_is_let_go(self, server: Server, sent: bytes) -> None:
        async with connected(server) as (reader, writer):
            writer.write(sent)
            assert await rest(reader) == b""

    async def test_the_second_request_has_its_time_too(self, server: Server) -> None:
        async with connected(server) as (reader, writer):
            writer.write(GET + b"\r\n")
            assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200 ")
            writer.write(b"GET ")
            assert (await rest(reader)).startswith(b"HTTP/1.1 408 ")

    async def test_who_waits_between_requests_or_for_an_answer_is_left_alone(self, server: Server) -> None:
        async with connected(server) as (reader, writer):
            for path in (b"/slow", b"/"):
                writer.write(b"GET %b HTTP/1.1\r\nHost: service\r\n\r\n" % path)
                assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200 ")
                await asyncio.sleep(1.5)
            assert not reader.at_eof()

    async def test_half_a_head_behind_a_request_is_cut_off_after_its_answer(self, server: Server) -> None:
        async with connected(server) as (reader, writer):
            writer.write(b"GET /slow HTTP/1.1\r\nHost: service\r\n\r\nGET / HT")
            assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200 ")
            assert (await rest(reader)).startswith(b"HTTP/1.1 408 ")

    async def test_who_takes_an_answer_in_slowly_may_ask_for_the_next_one_meanwhile(self, server: Server) -> None:
        with socket.socket() as end:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            end.connect(("127.0.0.1", server.port))
            reader, writer = await asyncio.open_connection(sock=end)
            writer.write(b"GET /large HTTP/1.1\r\nHost: service\r\n\r\n")
            await asyncio.sleep(2 * LOOK_SECONDS)
            writer.write(GET + b"\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            for _ in range(32):
                await reader.readexactly(LARGE // 32)
                await asyncio.sleep(LOOK_SECONDS)
            assert head.startswith(b"HTTP/1.1 200 ")
            assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200 ")
            writer.close()

    async def test_who_is_silent_after_an_answer_is_let_go(self, server: Server) -> None:
        server.config.timeout_keep_alive = 1
        async with connected(server) as (reader, writer):
            writer.write(GET + b"\r\n")
            assert (await rest(reader)).startswith(b"HTTP/1.1 200 ")

    async def test_who_takes_in_nothing_of_an_answer_is_let_go(self, server: Server) -> None:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"GET /large HTTP/1.1\r\nHost: service\r\n\r\n")
            await gone(server, of=1)

    async def test_who_takes_an_answer_in_slowly_gets_it(self, server: Server) -> None:
        async with connected(server) as (reader, writer):
            writer.write(b"GET /large HTTP/1.1\r\nHost: service\r\nConnection: close\r\n\r\n")
            length = 0
            while part := await reader.read(1 << 20):
                length += len(part)
                await asyncio.sleep(0.02)
        assert length > LARGE


async def gone(server: Server, *, of: int) -> None:
    """Return once so many connections have come and gone."""
    connections = server.server_state.connections
    await asyncio.to_thread(wait_until, lambda: len(connections) == of, "all have come")
    await asyncio.to_thread(wait_until, lambda: not connections, "all have gone")


class TestSize:
    @pytest.mark.parametrize(
        ("head", "status"),
        [
            (GET + b"X-Long: " + b"x" * 15_000, 200),
            (GET + b"X-Long: " + b"x" * 17_000, 431),
            (b"GET /?" + b"x" * 17_000 + b" HTTP/1.1", 431),
            (GET + b"\r\n".join([b"X-Many: 1"] * 99), 200),
            (GET + b"\r\n".join([b"X-Many: 1"] * 100), 431),
        ],
    )
    async def test_a_head_that_is_too_long_is_refused(self, server: Server, head: bytes, status: int) -> None:
        async with connected(server) as (reader, writer):
            writer.write(head + b"\r\nConnection: close\r\n\r\n" if status != 200 else head + b"\r\n\r\n")
            first = await reader.readuntil(b"\r\n")
            assert first.startswith(b"HTTP/1.1 %d " % status)
            if status == 431:
                assert b"16384 bytes or 100 headers" in await rest(reader)

    async def test_a_head_without_an_end_is_cut_off(self, server: Server) -> None:
        async with connected(server) as (reader, writer):
            writer.write(GET)
            sending = asyncio.create_task(trickle(writer, b"X-More: " + b"x" * 8000 + b"\r\n"))
            answer = await rest(reader)
            sending.cancel()
        assert answer.startswith(b"HTTP/1.1 431 ")

    async def test_a_large_body_does_not_count_as_head(self, server: Server) -> None:
        async with connected(server) as (reader, writer):
            post = b"POST / HTTP/1.1\r\nHost: service\r\nContent-Length: 50000\r\n\r\n" + b"x" * 50_000
            writer.write(post + GET[:10])
            assert (await reader.readuntil(b"\r\n\r\n50000")).startswith(b"HTTP/1.1 200 ")
            writer.write(GET[10:] + b"\r\n")
            assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200 ")

    async def test_a_long_pipeline_is_no_long_head(self, server: Server) -> None:
        async with connected(server) as (reader, writer):
            writer.write(GET[:10])
            await writer.drain()
            await asyncio.sleep(LOOK_SECONDS)
            writer.write(GET[10:] + b"\r\n" + (GET + b"\r\n") * 1000)
            for _ in range(1001):
                assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200 ")


class TestNumber:
    async def test_beyond_the_bound_who_comes_is_told_and_others_are_served_on(self, server: Server) -> None:
        async with connected(server) as (reader, writer):
            others = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(19)]
            async with connected(server) as (late, _):
                assert (await rest(late)).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            writer.write(GET + b"\r\n")
            assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200 ")
            for _, other in others:
                other.close()

    def test_half_of_the_files_are_left_for_others(self) -> None:
        assert 64 <= most_connections() <= 4096


async def test_what_is_no_http_is_a_problem(server: Server) -> None:
    async with connected(server) as (reader, writer):
        writer.write(b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03\r\n\r\n")
        answer = await rest(reader)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n")


async def test_an_upgrade_is_answered_as_if_none_was_asked_for(server: Server) -> None:
    async with connected(server) as (reader, writer):
        writer.write(GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")
