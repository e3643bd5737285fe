"""Clients who wait at the socket while turns of the event loop are long."""

import asyncio
import socket
import time
from contextlib import ExitStack

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from api_pokemon import server

CLIENTS = 100
TURNS = 5
TURN_SECONDS = 0.15
"""Longer than the time between two ticks of uvicorn, so that there is one in each turn."""


def test_all_who_wait_are_taken_in_within_a_few_turns_and_answered() -> None:
    """uvloop alone takes in one of them a turn."""
    taken_in, answers, ports = uvloop.run(_asked())
    assert taken_in == CLIENTS
    assert answers == [f"127.0.0.1:{port}" for port in ports]


async def _asked() -> tuple[int, list[str], list[int]]:
    app = Starlette(routes=[Route("/", _who)])
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.create_server(("127.0.0.1", 0)))
        serving = server._Server(app, listener, None)
        task = asyncio.create_task(serving.serve(sockets=[listener]))
        while not serving.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        address = listener.getsockname()
        clients = [sockets.enter_context(socket.create_connection(address)) for _ in range(CLIENTS)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: service\r\n\r\n")
        for _ in range(TURNS):
            time.sleep(TURN_SECONDS)  # noqa: ASYNC251 - nothing else is done in this turn
            await asyncio.sleep(0)
        taken_in = len(serving.server_state.connections)
        serving.should_exit = True
        await asyncio.wait_for(task, 30)
        return taken_in, [_body(client) for client in clients], [client.getsockname()[1] for client in clients]


async def _who(request: Request) -> PlainTextResponse:
    assert request.client
    return PlainTextResponse(f"{request.client.host}:{request.client.port}")


def _body(client: socket.socket) -> str:
    client.settimeout(30)
    with client.makefile("rb") as answer:
        return answer.read().partition(b"\r\n\r\n")[2].decode()
