"""What many tests need: a registry, a database, an outbox, a small disk, a clock that moves when told, a caller."""

from asyncio import Event
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from api_pokemon.monitoring import Outbox
from tests.clocks import Clock
from tests.monitoring.disks import MEGABYTE, Disk, small_disk
from tests.monitoring.forwarding import Deployment
from tests.servers import RedisServer

Message = dict[str, Any]
Ask = Callable[..., Awaitable[list[Message]]]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/log.sqlite"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an outbox will be."""
    return tmp_path / "outbox-0.sqlite"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    outbox = Outbox(path)
    yield outbox
    outbox.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """That can be filled, and made read-only."""
    with small_disk(tmp_path / "disk", 4 * MEGABYTE) as disk:
        yield disk


@pytest.fixture(scope="module")
def lasting_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def deployment(tmp_path: Path, lasting_server: RedisServer) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path / "outbox", lasting_server)
    deployment.redis.flushall()
    yield deployment
    deployment.close()


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def ask() -> Ask:
    """Send one request to an ASGI application and return the messages it answered with."""

    async def send_request(
        app: Any, path: str = "/", method: str = "GET", on_send: Callable[[Message], None] | None = None, **scope: Any
    ) -> list[Message]:
        answered: list[Message] = []

        unread = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Message:
            if not unread:
                await Event().wait()  # the client stays on the line
            return unread.pop()

        async def send(message: Message) -> None:
            if on_send:
                on_send(message)
            answered.append(message)

        request = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b"", "state": {}}
        await app(request | {"asgi": {"spec_version": "2.3"}} | scope, receive, send)
        return answered

    return send_request
