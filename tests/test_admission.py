"""The server with a door, over real sockets; an outbox that waits for the test keeps requests in work."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from api_pokemon import server
from api_pokemon.admission import AdmittingProtocol
from api_pokemon.connections import Limits
from api_pokemon.entrance import entrance_of
from api_pokemon.main import create_app
from api_pokemon.monitoring import Event
from api_pokemon.routes.keys import Keys
from api_pokemon.routes.lanes import BURST
from api_pokemon.settings import Settings
from tests.servers import RedisServer

DUEL = b'{"pokemon_a_id":1,"pokemon_b_id":25,"available_moves":["Surf"]}'
BATCH = b'{"duels":[' + DUEL + b"]}"
MOST = 1
HELD = BURST * MOST
"""What comes in at once where nobody was refused for a second."""


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

    def __init__(self, port: int, outbox: HeldOutbox, registry: CollectorRegistry) -> None:
        self._port = port
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
    """A service whose outbox is open, with a rate limit."""
    registry, outbox = CollectorRegistry(), HeldOutbox()
    outbox.opened.set()
    settings = Settings(data_dir=tmp_path, tablebase=False, _env_file=None, **{"rate_limit": "5/day", **variables})
    async with running(create_app(settings, registry=registry, recorder=outbox)) as (port, _):
        service = Service(port, outbox, registry)
        yield service
        service.close()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    registry, outbox = CollectorRegistry(), HeldOutbox()
    settings = Settings(data_dir=tmp_path, tablebase=False, max_in_work=MOST, _env_file=None)
    async with running(create_app(settings, registry=registry, recorder=outbox)) as (port, _):
        service = Service(port, outbox, registry)
        yield service
        outbox.opened.set()
        service.close()


async def test_beyond_the_bound_predictions_are_refused_at_once(service: Service) -> None:
    held = await service.hold(HELD)
    caller = await service.caller()
    refused = await caller.ask(post(DUEL, "/predict/best-move", "X-Request-ID: ours"))
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert refused.headers["x-request-id"] == "ours"
    problem = json.loads(refused.body)
    assert (problem["type"], problem["instance"]) == ("/problems#overloaded", "/predict/best-move")
    assert (service.counted(503), service.errors("overloaded")) == (1, 1)
    service.outbox.opened.set()
    assert [(await caller.answer()).status for caller in held] == [200] * HELD
    assert (await caller.ask(post())).status == 200  # on the connection that was refused
    assert (service.counted(200), service.counted(503)) == (HELD + 1, 1)


async def test_what_watches_the_service_is_answered_all_the_same(service: Service) -> None:
    await service.hold(HELD)
    caller = await service.caller()
    for path in ("/health/live", "/health/ready", "/health", "/metrics", "/pokemon/25", "/predictions?limit=x"):
        assert (await caller.ask(get(path))).status in (200, 401), path
    assert (await caller.ask(get("/drift/status"))).status == 401  # it wants a key, and is not overloaded
    assert b'status="503"' in (await caller.ask(get("/metrics"))).body


def test_who_scrapes_again_and_again_keeps_nobody_from_asking_whether_all_is_well() -> None:
    lanes = entrance_of(Settings(_env_file=None), Keys({}, predictions_open=True)).lanes
    scrapes = lanes.of("/metrics")
    while not scrapes.is_full:
        scrapes.enter()
    assert scrapes.in_work < 32
    for path in ("/health/live", "/health/ready", "/faults", "/faults/slow-metrics", "/predict/best-move"):
        assert not lanes.of(path).is_full, path


async def test_batches_have_places_of_their_own(service: Service) -> None:
    await service.hold(HELD)
    caller = await service.caller()
    caller.send(post(BATCH, "/predict/best-move/batch"))
    await until(lambda: service.outbox.waiting == HELD + 1)
    service.outbox.opened.set()
    assert (await caller.answer()).status == 200


async def test_a_path_that_no_route_has_is_counted_without_its_name(service: Service) -> None:
    await service.hold(HELD)
    refused = await (await service.caller()).ask(post(DUEL, "/predict/%1b[31m"))
    assert json.loads(refused.body)["instance"] == "/predict/\\x1b[31m"
    assert service.counted(503, "unmatched") == 1


async def test_a_page_of_another_origin_may_read_why_it_is_refused(tmp_path: Path) -> None:
    async with limited(tmp_path, rate_limit="1/day", cors_origins="https://page.example") as service:
        caller = await service.caller()
        for origin, allowed in (("https://page.example", True), ("https://other.example", False)):
            for _ in range(2):
                answer = await caller.ask(post(DUEL, "/predict/best-move", f"Origin: {origin}"))
            assert answer.status == 429
            assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
            assert ("Retry-After" in answer.headers.get("access-control-expose-headers", "")) is allowed


async def test_a_connection_too_many_is_refused_and_counted(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AdmittingProtocol, "limits", Limits(connections=1))
    first = await service.caller()
    assert (await first.ask(get("/health/live"))).status == 200
    second = await service.caller()
    assert (await second.end()).startswith(b"HTTP/1.1 503 ")
    labels = {"method": "OTHER", "endpoint": "unmatched"}
    value = service._registry.get_sample_value
    assert value("api_errors_total", {**labels, "error_type": "overloaded"}) == 1
    assert value("api_requests_total", {**labels, "status": "503"}) == 1


async def test_head_is_refused_without_a_body(service: Service) -> None:
    await service.hold(HELD)
    caller = await service.caller()
    caller.send(get("/predict/model-info", "HEAD"))
    assert (await caller.answer(has_body=False)).status == 503
    assert (await caller.ask(get("/health/live"))).status == 200


async def test_pipelined_requests_are_refused_in_turn(service: Service) -> None:
    held = await service.hold(HELD)
    caller = await service.caller()
    number = 2000  # deeper than Python's stack
    caller.send(post() * number + get("/health/live"))
    assert {(await caller.answer()).status for _ in range(number)} == {503}
    assert (await caller.answer()).status == 200
    held[0].send(post() + get("/health/live"))  # behind one that is in work
    service.outbox.opened.set()
    assert [(await held[0].answer()).status for _ in range(3)] == [200, 200, 200]


async def test_slow_bodies_take_no_place(service: Service) -> None:
    service.outbox.opened.set()
    slow = [await service.caller() for _ in range(3 * HELD)]
    for caller in slow:
        caller.send(post()[:-1])
    assert (await (await service.caller()).ask(post())).status == 200
    for caller in slow[:HELD]:
        assert (await caller.ask(b"}")).status == 200


async def test_a_body_that_does_not_end_is_given_up(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AdmittingProtocol, "body_seconds", 0.05)
    caller = await service.caller()
    caller.send(post()[:-1])
    answer = await caller.answer()
    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert json.loads(answer.body)["type"] == "/problems#too-slow"
    assert await caller.end() == b""
    assert service.counted(408) == 1


async def test_a_client_that_leaves_in_its_body_is_counted(service: Service) -> None:
    caller = await service.caller()
    caller.send(post()[:-1])
    await caller.writer.drain()
    caller.writer.close()
    await until(lambda: service.counted(499) == 1)


async def test_a_client_that_leaves_gives_its_place_back(service: Service) -> None:
    for caller in await service.hold(HELD):
        caller.writer.close()
    service.outbox.opened.set()
    await until(lambda: not service.outbox.waiting)
    assert (await (await service.caller()).ask(post())).status == 200


async def test_a_body_that_is_waited_for_is_asked_for(service: Service) -> None:
    service.outbox.opened.set()
    caller = await service.caller()
    head, _, body = post(DUEL, "/predict/best-move", "Expect: 100-continue").partition(b"\r\n\r\n")
    caller.send(head + b"\r\n\r\n")
    assert (await caller.answer()).status == 100
    assert (await caller.ask(body)).status == 200


@pytest.mark.parametrize("path", ["/predict/best-move", "/faults/slow-model", "/nowhere"])
async def test_too_much_is_not_waited_for(service: Service, path: str) -> None:
    head, _, _ = post(b"", path).partition(b"Content-Length")
    declared, chunked = await service.caller(), await service.caller()
    declared.send(head + b"Content-Length: 1000000000000\r\n\r\n")
    chunked.send(head + b"Transfer-Encoding: chunked\r\n\r\n" + b"ffff\r\n" + b" " * 0xFFFF + b"\r\n")
    chunked.send(b"ffff\r\n")
    chunked.send(b" " * 100)
    for caller in (declared, chunked):
        answer = await caller.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert json.loads(answer.body)["type"] == "/problems#too-large"
        assert await caller.end() == b""
    assert service.counted(413, "unmatched" if path == "/nowhere" else path.replace("slow-model", "{fault}")) == 2


async def test_an_offer_to_speak_http_2_is_declined(service: Service) -> None:
    caller = await service.caller()
    upgrade = b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert (await caller.ask(get("/health/live").replace(b"\r\n\r\n", upgrade))).status == 200


async def statuses(service: Service, number: int, *headers: str) -> list[int]:
    caller = await service.caller()
    return [(await caller.ask(post(DUEL, "/predict/best-move", *headers))).status for _ in range(number)]


class TestRateLimit:
    async def test_beyond_it_the_caller_is_told_to_wait(self, tmp_path: Path) -> None:
        async with limited(tmp_path) as service:
            caller = await service.caller()
            good = [await caller.ask(post()) for _ in range(5)]
            assert {answer.status for answer in good} == {200}
            assert [answer.headers["ratelimit-remaining"] for answer in good] == ["4", "3", "2", "1", "0"]
            refused = await caller.ask(post())
            assert refused.status == 429
            assert refused.headers["ratelimit-limit"] == "5"
            assert refused.headers["retry-after"] == refused.headers["ratelimit-reset"]
            assert json.loads(refused.body)["type"] == "/problems#rate-limited"
            assert service.counted(429) == 1
            assert (await caller.ask(get("/pokemon/25"))).status == 429
            assert (await caller.ask(get("/health/live"))).status == 200
            assert "ratelimit-limit" not in (await caller.ask(get("/metrics"))).headers

    async def test_wrong_keys_and_made_up_addresses_do_not_help(self, tmp_path: Path) -> None:
        async with limited(tmp_path) as service:
            assert await statuses(service, 5, "X-API-Key: wrong") == [401] * 5
            assert await statuses(service, 1, "X-API-Key: other") == [429]
            assert await statuses(service, 1, "X-Forwarded-For: 192.0.2.1") == [429]

    async def test_behind_a_trusted_proxy_each_address_counts(self, tmp_path: Path) -> None:
        async with limited(tmp_path, trusted_proxies=("127.0.0.1",)) as service:
            assert await statuses(service, 6, "X-Forwarded-For: 192.0.2.1") == [200] * 5 + [429]
            assert await statuses(service, 1, "X-Forwarded-For: 192.0.2.2") == [200]

    async def test_without_one_no_answer_tells_of_it(self, service: Service) -> None:
        service.outbox.opened.set()
        assert "ratelimit-limit" not in (await (await service.caller()).ask(post())).headers

    async def test_processes_share_it_while_redis_is_there(
        self, tmp_path: Path, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings = {"stream_url": redis_server.url, "rate_limit": "60/day"}
        async with limited(tmp_path, **settings) as one, limited(tmp_path, **settings) as other:
            assert await statuses(one, 60) == [200] * 60
            sent = 1
            while await statuses(other, 1) == [200]:  # and with each of its own, it learns what others know
                await asyncio.sleep(0.1)
                sent += 1
            assert sent < 60
            redis_server.kill()
            assert await statuses(one, 1) == [429]
            async with asyncio.timeout(5):
                while "each process for itself" not in caplog.text:
                    assert await statuses(other, 1) == [429]
                    await asyncio.sleep(0.05)

    async def test_without_redis_each_process_counts_for_itself(
        self, tmp_path: Path, redis_server: RedisServer
    ) -> None:
        redis_server.kill()
        async with limited(tmp_path, stream_url=redis_server.url) as service:
            assert await statuses(service, 6) == [200] * 5 + [429]
