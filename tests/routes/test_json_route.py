"""How a body comes in, at the level of ASGI: in parts, without a length, too long, not at all."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from api_pokemon.main import create_app
from api_pokemon.routes.json_route import MOST_BYTES, JsonRoute
from api_pokemon.settings import Settings
from tests.routes.conformance import Client

DUEL = b'{"pokemon_a_id":1,"pokemon_b_id":25,"available_moves":["Surf"]}'
GONE = None


def padded(size: int) -> bytes:
    return DUEL[:-1] + b" " * (size - len(DUEL)) + b"}"


class Exchange:
    """One request, told and heard message by message; a part that is None is a client that went away."""

    def __init__(self, parts: Sequence[bytes | None], headers: dict[bytes, bytes]) -> None:
        self._parts = list(parts)
        self._headers = {b"content-type": b"application/json"} | headers
        self.parts_read = 0
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""

    async def run(self, app: FastAPI) -> "Exchange":
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": "/predict/best-move",
            "raw_path": b"/predict/best-move",
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "headers": list(self._headers.items()),
            "server": ("service", 80),
        }
        await app(scope, self._receive, self._send)
        return self

    async def _receive(self) -> dict[str, Any]:
        part = self._parts[self.parts_read]
        self.parts_read += 1
        if part is GONE:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": self.parts_read < len(self._parts)}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = dict(message["headers"])
        else:
            self.body += message["body"]


async def exchange(app: FastAPI, *parts: bytes | None, **headers: bytes) -> Exchange:
    return await Exchange(parts, {name.replace("_", "-").encode(): value for name, value in headers.items()}).run(app)


async def test_a_body_may_come_in_parts_and_without_a_length(shared_app: FastAPI) -> None:
    whole = await exchange(shared_app, *(bytes([byte]) for byte in DUEL), b"")
    assert whole.status == 200
    assert json.loads(whole.body)["recommended_move"] == "Surf"


async def test_64_kb_are_enough(shared_app: FastAPI) -> None:
    assert (await exchange(shared_app, padded(MOST_BYTES))).status == 200


async def test_a_body_that_declares_too_much_is_not_read(shared_app: FastAPI) -> None:
    refused = await exchange(shared_app, DUEL, content_length=b"%d" % (MOST_BYTES + 1))
    assert (refused.status, refused.parts_read) == (413, 0)
    assert json.loads(refused.body)["type"] == "/problems#too-large"
    assert refused.headers[b"connection"] == b"close"


@pytest.mark.parametrize("length", [b"9" * 5000, b"-1", b"64k", b"", b"\xb2"])
async def test_a_declared_length_can_be_anything(shared_app: FastAPI, length: bytes) -> None:
    answered = await exchange(shared_app, DUEL, content_length=length)
    assert answered.status == (413 if length.startswith(b"9") else 200)


@pytest.mark.parametrize("headers", [{}, {"content_length": b"5"}, {"transfer_encoding": b"chunked"}])
async def test_a_body_is_read_no_further_than_64_kb(shared_app: FastAPI, headers: dict[str, bytes]) -> None:
    refused = await exchange(shared_app, *[b" " * 16 * 1024] * 10, **headers)
    assert (refused.status, refused.parts_read) == (413, 5)


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        (b"application/json", 200),
        (b"application/json; charset=utf-8", 200),
        (b"Application/JSON ;x=y", 200),
        (b"", 200),
        (b"text/plain", 415),
        (b"text/plain; application/json", 415),
        (b"application/jsonp", 415),
        (b"application/x-www-form-urlencoded", 415),
        (b"multipart/form-data; boundary=x", 415),
        (b"\xff\x00" * 2000, 415),
    ],
)
async def test_a_body_must_not_say_that_it_is_no_json(shared_app: FastAPI, media_type: bytes, status: int) -> None:
    answered = await exchange(shared_app, DUEL, content_type=media_type)
    assert answered.status == status
    if status == 415:
        assert len(json.loads(answered.body)["detail"]) < 200


@pytest.mark.parametrize(("body", "status"), [(DUEL, 200), (b"{bad", 422), (b"", 422), (b" " * 70_000, 413)])
async def test_a_body_of_no_declared_type_is_read_as_json(client: Client, body: bytes, status: int) -> None:
    assert (await client.post("/predict/best-move", content=body)).status_code == status


async def test_the_size_is_judged_before_the_type(shared_app: FastAPI) -> None:
    assert (await exchange(shared_app, b" " * 70_000, content_type=b"text/plain")).status == 413


async def test_a_client_that_left_is_no_error(settings: Settings) -> None:
    registry = CollectorRegistry()
    app = create_app(settings, registry=registry)
    left = await exchange(app, DUEL[:10], GONE)
    assert left.status == 499
    labels = {"method": "POST", "endpoint": "/predict/best-move"}
    assert registry.get_sample_value("api_requests_total", {**labels, "status": "499"}) == 1
    assert registry.get_sample_value("api_errors_total", {**labels, "error_type": "internal"}) == 0


async def test_a_header_that_is_no_text_is_no_error(shared_app: FastAPI) -> None:
    answered = await exchange(shared_app, DUEL, accept_language=b"\xff\xfe;q=\x80")
    assert answered.status == 200


def test_a_route_without_a_model_for_its_body_cannot_be_made() -> None:
    async def no_body() -> str:
        return ""

    with pytest.raises(TypeError, match=r"no_body must take one body"):
        JsonRoute("/", no_body)


async def test_extra_spaces_do_not_matter(client: Client) -> None:
    response = await client.post(
        "/predict/best-move", content=b"\n " + DUEL + b"\r\n\t", headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 200
