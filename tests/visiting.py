"""A service that runs, and callers who speak HTTP to it by hand; an outbox that waits keeps requests in work."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from api_pokemon import server
from api_pokemon.main import create_app
from api_pokemon.monitoring import Event
from api_pokemon.routes.lanes import BURST
from api_pokemon.settings import Settings

DUEL = b'{"pokemon_a_id":1,"pokemon_b_id":25,"available_moves":["Surf"]}'
BATCH = b'{"duels":[' + DUEL + b"]}"
MOST = 1
AGES = "10000 days"
"""A window of the rate limit that does not end while tests run, as a day does at midnight."""

HELD = BURST * MOST
"""What comes in at once where nobody was refused just before."""


class HeldOutbox:
    """Keeps nothing, and returns only while it is open."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.waiting = 0

    async def record(self, *events: Event) -> None:
        self.waiting += 1
        await self.opened.wait()
        self.waiting -= 1


def post(body: bytes = DUEL, path: str = "/predict/best-move", *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: service", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: service\r\n\r\n".encode()


class Answer:
    def __init__(self, head: bytes, body: bytes) -> None:
        status, *headers = head.decode().split("\r\n")[:-2]
        self.status = int(status.split()[1])
        self.headers = dict(line.split(": ", 1) for line in headers)
        self.body = body


class Caller:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, *, has_body: bool = True) -> Answer:
        async with asyncio.timeout(5):
            head = await self._reader.readuntil(b"\r\n\r\n")
            answer = Answer(head, b"")
            if has_body and answer.status != 100:
                answer.body = await self._reader.readexactly(int(answer.headers["content-length"]))
            return answer

    async def ask(self, data: bytes) -> Answer:
        self.send(data)
        return await self.answer()

    async def end(self) -> bytes:
        """What still comes until the server closes the connection."""
        async with asyncio.timeout(5):
            return await self._reader.read()


class Service:
    """A running server, and what its outbox and its metrics are."""

    def __init__(self, port: int, serving: uvicorn.Server, outbox: HeldOutbox, registry: CollectorRegistry) -> None:
        self._port = port
        self.state = serving.server_state
        self.outbox = outbox
        self._registry = registry
        self._callers: list[Caller] = []

    async def caller(self) -> Caller:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self._port))
        self._callers.append(caller)
        return caller

    async def hold(self, number: int) -> list[Caller]:
        """Keep so many predictions in work."""
        callers = [await self.caller() for _ in range(number)]
        for caller in callers:
            caller.send(post())
        await until(lambda: self.outbox.waiting == number)
        return callers

    def counted(self, status: int, path: str = "/predict/best-move", method: str = "POST") -> float | None:
        labels = {"method": method, "endpoint": path, "status": str(status)}
        return self._registry.get_sample_value("api_requests_total", labels)

    def errors(self, error_type: str, path: str = "/predict/best-move") -> float | None:
        labels = {"method": "POST", "endpoint": path, "error_type": error_type}
        return self._registry.get_sample_value("api_errors_total", labels)

    def close(self) -> None:
        for caller in self._callers:
            caller.writer.close()


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 -- whatever it is, it has no event
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[tuple[int, uvicorn.Server]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = server._Server(app, listener, None)
        task = asyncio.create_task(serving.serve(sockets=[listener]))
        yield listener.getsockname()[1], serving
        serving.should_exit = True
        await asyncio.wait_for(task, 30)


@asynccontextmanager
async def limited(tmp_path: Path, **variables: Any) -> AsyncIterator[Service]:
    """A service whose outbox is open, with a rate limit: five requests, until 2052."""
    registry, outbox = CollectorRegistry(), HeldOutbox()
    outbox.opened.set()
    settings = Settings(data_dir=tmp_path, tablebase=False, _env_file=None, **{"rate_limit": f"5/{AGES}", **variables})
    async with running(create_app(settings, registry=registry, recorder=outbox)) as (port, serving):
        service = Service(port, serving, outbox, registry)
        yield service
        service.close()
