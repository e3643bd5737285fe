"""Clients that send faster than they are answered, or leave in between, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api_pokemon import server
from api_pokemon.admission import AdmittingProtocol
from api_pokemon.intake import PIECE_BYTES
from api_pokemon.routes.door import Admission, OpenDoor, Refusal, put_door
from api_pokemon.routes.json_route import MOST_BYTES

GET = b"GET / HTTP/1.1\r\nHost: service\r\n\r\n"
HELD = GET.replace(b"/ ", b"/held ", 1)
LARGE_BYTES = 8 << 20


def upgrade(request: bytes) -> bytes:
    return request.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 1)


class NarrowDoor(OpenDoor):
    """Refuses everything but what is held."""

    def admit(self, scope: Any) -> Admission | Refusal:  # type: ignore[override]
        return super().admit(scope) if scope["path"] == "/held" else self.too_slow(scope, 0)


class Service:
    """A server that keeps requests in work until it is told, and knows who left."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.left = asyncio.Event()
        self.begun = 0
        self.port = 0
        self.server: server._Server
        self.app = Starlette(
            routes=[
                Route("/", self.answer, methods=["GET", "POST"]),
                Route("/held", self.hold),
                Route("/large", self.answer_much),
            ]
        )

    async def answer(self, request: Request) -> Response:
        return Response(await request.body(), headers={"X-Upgrade": request.headers.get("Upgrade", "none")})

    async def answer_much(self, request: Request) -> Response:
        return Response(b"x" * LARGE_BYTES)

    async def hold(self, request: Request) -> Response:
        self.begun += 1
        await request.body()
        waiting = asyncio.create_task(self.opened.wait())
        leaving = asyncio.create_task(request.receive())
        await asyncio.wait((waiting, leaving), return_when=asyncio.FIRST_COMPLETED)
        if leaving.done():
            self.left.set()
        for task in (waiting, leaving):
            task.cancel()
        return Response(b"held")

    async def until(self, condition: Callable[[AdmittingProtocol], object]) -> AdmittingProtocol:
        """The one connection, once there is one of which this holds."""
        async with asyncio.timeout(30):
            while True:
                for connection in self.server.server_state.connections:
                    assert isinstance(connection, AdmittingProtocol)
                    if condition(connection):
                        return connection
                await asyncio.sleep(0.01)

    async def until_all_is_over(self) -> None:
        async with asyncio.timeout(30):
            while self.server.server_state.connections or self.server.server_state.tasks:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)

    async def serving(self) -> AsyncIterator["Service"]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            self.server = server._Server(self.app, listener, None)
            task = asyncio.create_task(self.server.serve(sockets=[listener]))
            yield self
            self.opened.set()
            self.server.should_exit = True
            await asyncio.wait_for(task, 30)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async for each in Service().serving():
        yield each


@pytest.fixture
async def refusing() -> AsyncIterator[Service]:
    service = Service()
    put_door(service.app, NarrowDoor())
    async for each in service.serving():
        yield each


class Client:
    """One connection, of which the kernel keeps little that is not read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    @asynccontextmanager
    async def of(cls, service: Service) -> AsyncIterator["Client"]:
        with socket.socket() as end:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            end.connect(("127.0.0.1", service.port))
            reader, writer = await asyncio.open_connection(sock=end)
            try:
                yield cls(reader, writer)
            finally:
                writer.close()

    async def answer(self) -> tuple[int, str, bytes]:
        """The status, the rest of the head, the body."""
        head = (await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 30)).decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        return int(head.split()[1]), head, await self._reader.readexactly(length)

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self._reader.read(), 30)


class TestPipeline:
    async def test_what_is_not_its_turn_is_not_parsed_yet(self, service: Service) -> None:
        number = 12_000
        async with Client.of(service) as client:
            client.writer.write(HELD + GET * number)
            connection = await service.until(lambda connection: connection.flow.is_held)
            await asyncio.sleep(0.2)
            assert len(connection.pipeline) <= PIECE_BYTES / len(GET) + 1
            assert len(connection._unparsed) <= 256 << 10
            service.opened.set()
            assert {(await client.answer())[0] for _ in range(number + 1)} == {200}

    async def test_bodies_are_whole_whatever_is_held_back(self, service: Service) -> None:
        async with Client.of(service) as client:
            bodies = [b"%d" % number * 2500 for number in range(9)]
            for body in bodies:
                client.writer.write(
                    b"POST / HTTP/1.1\r\nHost: service\r\nContent-Length: %d\r\n\r\n" % len(body) + body
                )
            assert [(await client.answer())[2] for _ in bodies] == bodies

    async def test_refusals_that_nobody_reads_are_few(self, refusing: Service) -> None:
        number = 12_000
        async with Client.of(refusing) as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.writer.write(GET * number)
            connection = await refusing.until(lambda connection: connection.flow.is_held)
            await asyncio.sleep(0.2)
            assert connection.transport.get_write_buffer_size() < 1 << 20
            client.writer.transport.resume_reading()  # type: ignore[attr-defined]
            assert {(await client.answer())[0] for _ in range(number)} == {408}

    async def test_a_large_answer_is_read_before_what_comes_next_is_begun(self, service: Service) -> None:
        async with Client.of(service) as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.writer.write(GET.replace(b"/ ", b"/large ", 1))
            connection = await service.until(lambda connection: connection.flow.write_paused)
            client.writer.write(GET)
            await service.until(lambda connection: connection.flow.is_held)
            assert connection._unparsed == GET
            client.writer.transport.resume_reading()  # type: ignore[attr-defined]
            assert [len((await client.answer())[2]) for _ in range(2)] == [LARGE_BYTES, 0]


class TestLeaving:
    async def test_the_request_in_work_learns_of_it_whatever_is_behind_it(self, service: Service) -> None:
        async with Client.of(service) as client:
            client.writer.write(HELD + GET)
            await service.until(lambda connection: connection.pipeline)
            client.writer.close()
            await asyncio.wait_for(service.left.wait(), 30)

    async def test_nothing_is_begun_any_more(self, service: Service) -> None:
        async with Client.of(service) as client:
            client.writer.write(HELD * 5)
            await service.until(lambda connection: len(connection.pipeline) == 4)
            client.writer.close()
            await service.until_all_is_over()
            assert service.begun == 1


class TestRefusal:
    async def test_nothing_is_begun_behind_it(self, service: Service) -> None:
        async with Client.of(service) as client:
            head = b"POST / HTTP/1.1\r\nHost: service\r\nTransfer-Encoding: chunked\r\n\r\n"
            client.writer.write(head + b"%x\r\n" % (MOST_BYTES + 1) + b" " * MOST_BYTES)
            await service.until(lambda connection: len(getattr(connection.cycle, "body", b"")) == MOST_BYTES)
            client.writer.write(b" \r\n0\r\n\r\n" + HELD * 3)
            status, told, _ = await client.answer()
            assert (status, "connection: close" in told) == (413, True)
            assert await client.rest() == b""
        assert service.begun == 0

    async def test_what_was_asked_before_is_answered_first(self, service: Service) -> None:
        async with Client.of(service) as client:
            client.writer.write(HELD + GET + b"this is no HTTP\r\n\r\n")
            await service.until(lambda connection: connection.pipeline)
            service.opened.set()
            assert [(await client.answer())[2] for _ in range(2)] == [b"held", b""]
            assert await client.rest() == b""

    async def test_a_body_that_is_no_http_is_told(self, service: Service) -> None:
        async with Client.of(service) as client:
            client.writer.write(b"POST / HTTP/1.1\r\nHost: service\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n")
            status, _, body = await client.answer()
            assert (status, b"Invalid HTTP" in body) == (400, True)
            assert await client.rest() == b""


class TestUpgrade:
    POST = b"POST / HTTP/1.1\r\nHost: service\r\nContent-Length: 5\r\n\r\nwhole"
    CHUNKED = b"POST / HTTP/1.1\r\nHost: service\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n"

    @pytest.mark.parametrize("sent", [POST, CHUNKED])
    @pytest.mark.parametrize("split", [0, 20, 100, 117])
    async def test_the_body_and_what_follows_are_read(self, service: Service, sent: bytes, split: int) -> None:
        """Java's client offers HTTP/2 with the first request of each connection, whatever it is."""
        async with Client.of(service) as client:
            data = upgrade(sent) * 2 + GET
            for part in (data[:split], data[split:]):
                client.writer.write(part)
                await client.writer.drain()
                await asyncio.sleep(0.02)
            answers = [await client.answer() for _ in range(3)]
            assert [(status, body) for status, _, body in answers] == [(200, b"whole"), (200, b"whole"), (200, b"")]

    async def test_a_tunnel_is_refused(self, service: Service) -> None:
        async with Client.of(service) as client:
            client.writer.write(b"CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n")
            assert (await client.answer())[0] == 400
            assert await client.rest() == b""

    async def test_what_follows_is_no_other_protocol(self, service: Service) -> None:
        async with Client.of(service) as client:
            client.writer.write(upgrade(GET) + b"\x00\x01\x02\x03")
            assert (await client.answer())[0] == 200
            assert await client.rest() == b""
