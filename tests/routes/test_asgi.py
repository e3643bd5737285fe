import asyncio
import json
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from api_pokemon.routes.asgi import StoppedAsProblem
from tests.routes.conformance import Client


@pytest.mark.parametrize(
    "path", ["/", "/problems", "/docs", "/style.css", "/openapi.json", "/pokemon", "/pokemon/25", "/health", "/metrics"]
)
async def test_head_is_get_without_the_body(client: Client, path: str) -> None:
    get, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    if path not in ("/health", "/metrics"):  # these change from call to call
        assert head.headers == get.headers


@pytest.mark.parametrize("path", ["/", "/docs", "/pokemon", "/nowhere", "/metrics", "/predict/best-move"])
async def test_a_browser_is_told_not_to_be_clever(client: Client, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert len(headers.get_list("content-security-policy")) == 1
    assert headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors 'none'")


class TestStopped:
    """A request that is cancelled, as the server does when it stops."""

    @staticmethod
    async def cancelled(*, in_the_answer: bool) -> tuple[list[Any], bool]:
        """What was sent, and whether the cancellation went on to the server."""
        reached, sent = asyncio.Event(), []

        async def never_done(scope: Scope, receive: Receive, send: Send) -> None:
            if in_the_answer:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            reached.set()
            await asyncio.Event().wait()

        async def receive() -> Any:
            raise AssertionError

        async def send(message: Any) -> None:
            sent.append(message)

        task = asyncio.create_task(StoppedAsProblem(never_done)({"type": "http"}, receive, send))
        await reached.wait()
        task.cancel()
        await asyncio.wait([task])
        return sent, task.cancelled()

    async def test_before_the_answer_it_is_a_problem(self) -> None:
        (start, body), went_on = await self.cancelled(in_the_answer=False)
        assert (start["status"], went_on) == (503, False)
        headers = dict(start["headers"])
        assert headers[b"content-type"] == b"application/problem+json"
        assert int(headers[b"content-length"]) == len(body["body"])
        assert json.loads(body["body"])["title"] == "Service Unavailable"

    async def test_in_the_answer_nothing_is_added(self) -> None:
        sent, went_on = await self.cancelled(in_the_answer=True)
        assert ([message["type"] for message in sent], went_on) == (["http.response.start"], True)
