"""The parts of HTTP that only a real server plays."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from prometheus_client import CollectorRegistry

from api_pokemon.main import create_app
from api_pokemon.settings import Settings

DUEL = b'{"pokemon_a_id":1,"pokemon_b_id":25,"available_moves":["Surf"]}'
POST = b"POST /predict/best-move HTTP/1.1\r\nHost: service\r\nContent-Type: application/json\r\n"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def port(settings: Settings, registry: CollectorRegistry) -> AsyncIterator[int]:
    server = uvicorn.Server(uvicorn.Config(create_app(settings, registry=registry), log_config=None, lifespan="on"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield listener.getsockname()[1]
        server.should_exit = True
        await asyncio.wait_for(serving, 30)


async def talk(port: int, *sent: bytes) -> bytes:
    """Send all, and read until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in sent:
        writer.write(part)
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def test_a_chunked_body(port: int) -> None:
    head = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    answer = await talk(port, head, chunk(DUEL[:20]), chunk(DUEL[20:]), b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_chunked_body_without_an_end_is_cut_off(port: int) -> None:
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = await talk(port, head, *[chunk(b" " * 10_000)] * 7)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"type":"/problems#too-large"' in answer


async def test_a_body_that_declares_too_much_is_not_waited_for(port: int) -> None:
    answer = await talk(port, POST + b"Content-Length: 1000000000000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_head_sends_no_body(port: int) -> None:
    answer = await talk(port, b"HEAD /pokemon HTTP/1.1\r\nHost: service\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert b"content-length: 0" not in answer


async def test_a_client_that_leaves_in_the_middle_is_no_error(
    port: int, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(POST + b"Content-Length: 1000\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    labels = {"method": "POST", "endpoint": "/predict/best-move", "status": "499"}
    async with asyncio.timeout(30):
        while not registry.get_sample_value("api_requests_total", labels):
            await talk(port, b"GET /health/live HTTP/1.1\r\nHost: service\r\nConnection: close\r\n\r\n")
    assert "Traceback" not in caplog.text


async def test_rubbish_is_refused_by_the_server(port: int) -> None:
    assert (await talk(port, b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
