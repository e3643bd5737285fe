"""The server with a door, over real sockets; an outbox that waits for the test keeps requests in work."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from api_pokemon.admission import AdmittingProtocol
from api_pokemon.connections import Limits
from api_pokemon.entrance import entrance_of
from api_pokemon.main import create_app
from api_pokemon.routes.keys import Keys
from api_pokemon.settings import Settings
from tests.visiting import (
    AGES,
    BATCH,
    DUEL,
    HELD,
    MOST,
    Caller,
    HeldOutbox,
    Service,
    get,
    limited,
    post,
    running,
    until,
)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    registry, outbox = CollectorRegistry(), HeldOutbox()
    settings = Settings(data_dir=tmp_path, tablebase=False, max_in_work=MOST, _env_file=None)
    async with running(create_app(settings, registry=registry, recorder=outbox)) as (port, serving):
        service = Service(port, serving, outbox, registry)
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
    async with limited(tmp_path, rate_limit=f"1/{AGES}", cors_origins="https://page.example") as service:
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


async def test_without_a_rate_limit_no_answer_tells_of_it(service: Service) -> None:
    service.outbox.opened.set()
    assert "ratelimit-limit" not in (await (await service.caller()).ask(post())).headers


async def _refused_before(service: Service) -> Caller:
    """A caller whose connection is known, so that what comes next can be refused unread."""
    caller = await service.caller()
    assert (await caller.ask(post())).status == 503
    return caller


async def test_a_refusal_unread_is_like_one_that_is_read(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    await service.hold(HELD)
    caller = await _refused_before(service)
    request = post(DUEL, "/predict/best-move", "X-Request-ID: ours")
    read = await (await service.caller()).ask(request)
    monkeypatch.setattr(AdmittingProtocol, "parse", None)  # it would fail, and hang up
    unread = await caller.ask(request)
    assert read.headers.pop("date")
    assert unread.headers.pop("date")
    assert (unread.status, unread.headers, unread.body) == (503, read.headers, read.body)
    assert (service.counted(503), service.errors("overloaded")) == (3, 3)


@pytest.mark.parametrize("cut", [1, 20, -1])
async def test_a_request_in_two_pieces_is_read(service: Service, cut: int) -> None:
    await service.hold(HELD)
    caller = await _refused_before(service)
    caller.send(post()[:cut])
    await asyncio.sleep(0.05)
    caller.send(post()[cut:])
    assert (await caller.answer()).status == 503
    assert (await caller.ask(post())).status == 503
    assert service.counted(503) == 3


async def test_what_comes_behind_a_request_is_not_lost(service: Service) -> None:
    await service.hold(HELD)
    caller = await _refused_before(service)
    caller.send(post() + get("/health"))
    assert [(await caller.answer()).status, (await caller.answer()).status] == [503, 200]


async def test_a_connection_that_is_only_refused_stays_open(service: Service) -> None:
    await service.hold(HELD)
    caller = await _refused_before(service)
    (protocol,) = (each for each in service.state.connections if each._idle_since is not None)
    assert isinstance(protocol, AdmittingProtocol)
    assert protocol._idle_since is not None
    soon_seconds = protocol._idle_since + protocol.timeout_keep_alive + 0.01
    await asyncio.sleep(0.1)
    assert (await caller.ask(post())).status == 503
    protocol.look(soon_seconds)
    assert (await caller.ask(post())).status == 503
    protocol.look(protocol._idle_since + protocol.timeout_keep_alive + 0.01)
    assert await caller.end() == b""


async def test_what_overload_refuses_does_not_count_towards_the_rate_limit(tmp_path: Path) -> None:
    async with limited(tmp_path, max_in_work=MOST, rate_limit=f"{HELD + 1}/{AGES}") as service:
        service.outbox.opened.clear()
        held = await service.hold(HELD)
        caller = await _refused_before(service)
        assert (await caller.ask(post())).status == 503
        service.outbox.opened.set()
        assert [(await one.answer()).status for one in held] == [200] * HELD
        assert [(await caller.ask(post())).status for _ in range(2)] == [200, 429]


async def test_a_refusal_unread_closes_its_connection_while_the_server_stops(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await service.hold(HELD)
    caller = await _refused_before(service)
    monkeypatch.setattr(service.state, "default_headers", [(b"connection", b"close")])
    assert (await caller.ask(post())).headers["connection"] == "close"
    refused = service.counted(503)
    caller.send(post())  # which nobody reads any more
    await asyncio.sleep(0.1)
    assert await caller.end() == b""
    assert service.counted(503) == refused
    assert not caplog.records
