"""Whatever is sent, the caller is told what is wrong: never a 5xx, always what the OpenAPI document foresees."""

import asyncio
import json
from urllib.parse import quote

import httpx
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.routes.conformance import Client, Conformance

TEXTS = st.text(max_size=20) | st.sampled_from(["Surf", "Tackle", "Growl", "Sruf", "\x00", "\ud800", "é", ""])
NUMBERS = (
    st.integers()
    | st.integers(-2, 160)
    | st.integers(10033, 10159)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.sampled_from([2**31, 2**63, 2**64, 10**400])
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)
FIELDS = st.sampled_from(["pokemon_a_id", "pokemon_b_id", "available_moves", "available_moves_b", "duels", "x"])
MOVES = st.lists(TEXTS, max_size=22)
NEARLY_DUELS = st.fixed_dictionaries(
    {
        "pokemon_a_id": st.integers(1, 151) | VALUES,
        "pokemon_b_id": st.integers(1, 151) | VALUES,
        "available_moves": MOVES | VALUES,
    },
    optional={"available_moves_b": MOVES | VALUES, "x": VALUES},
)
NEARLY_BATCHES = st.fixed_dictionaries({"duels": st.lists(NEARLY_DUELS | VALUES, max_size=4)})
BODIES = st.binary(max_size=200) | (VALUES | NEARLY_DUELS | NEARLY_BATCHES | st.dictionaries(FIELDS, VALUES)).map(
    json.dumps
).map(str.encode)
HEADERS = st.fixed_dictionaries(
    {"Content-Type": st.just(b"application/json")},
    optional={
        "Accept-Language": st.binary(max_size=40),
        "X-API-Key": st.binary(max_size=40),
        "Content-Length": st.binary(max_size=10),
        "Host": st.binary(max_size=20) | st.sampled_from([b"[", b"a/b?c#d", b""]),
    },
)


def ask(app: FastAPI, conformance: Conformance, method: str, path: str, **request: object) -> httpx.Response:
    async def once() -> httpx.Response:
        async with Client(app, conformance) as client:
            return await client.request(method, path, **request)  # type: ignore[arg-type]

    return asyncio.run(once())


@given(path=st.sampled_from(["/predict/best-move", "/predict/best-move/batch"]), body=BODIES, headers=HEADERS)
@settings(max_examples=300)
def test_no_body_breaks_the_service(
    shared_app: FastAPI, conformance: Conformance, path: str, body: bytes, headers: dict[str, bytes]
) -> None:
    response = ask(shared_app, conformance, "POST", path, content=body, headers=headers)
    assert response.status_code in (200, 401, 404, 413, 422)


@given(page=st.sampled_from(["pokemon", "moves", "docs", ""]), segment=st.text(max_size=30), query=st.text(max_size=40))
@settings(max_examples=150)
def test_no_path_breaks_the_service(
    shared_app: FastAPI, conformance: Conformance, page: str, segment: str, query: str
) -> None:
    path = f"/{page}/{quote(segment, safe='')}?search={quote(query)}&limit={quote(query)}"
    assert ask(shared_app, conformance, "GET", path).status_code in (200, 404, 422)
