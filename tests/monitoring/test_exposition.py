import gzip

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from starlette.applications import Starlette
from starlette.routing import Route

from api_pokemon.monitoring import Exposition, ModelMetrics, Prediction, new_id

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


@pytest.fixture
async def client(registry: CollectorRegistry):
    Counter("orders", "Orders.", registry=registry).inc()
    ModelMetrics(registry).observe(Prediction(new_id(), "v1", probability=0.8, duration_seconds=0.001))
    app = Starlette(routes=[Route("/metrics", Exposition(registry).respond)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        yield client


PROMETHEUS_3 = (
    "application/openmetrics-text; version=1.0.0; escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;q=0.3,*/*;q=0.1"
)


@pytest.mark.parametrize("accept", [PROMETHEUS, PROMETHEUS_3, "application/openmetrics-text"])
async def test_prometheus_gets_openmetrics_with_exemplars(client: httpx.AsyncClient, accept: str) -> None:
    answer = await client.get("/metrics", headers={"accept": accept})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
    samples = [sample for family in parse_openmetrics(answer.text) for sample in family.samples]
    assert [sample.name for sample in samples if sample.exemplar] == ["model_prediction_duration_seconds_bucket"]


VERSIONS = ("abc", "1.0.x", "2.x", "0.0.1", "²", "1..0", "-1")
ODD = [f"{kind};version={version}" for kind in ("application/openmetrics-text", "text/plain") for version in VERSIONS]


@pytest.mark.parametrize("accept", ["*/*", "text/plain;version=0.0.4", "text/html", ",;=,;", *ODD])
async def test_others_get_plain_text(client: httpx.AsyncClient, accept: str) -> None:
    answer = await client.get("/metrics", headers={"accept": accept.encode()})
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "prediction_id" not in answer.text
    names = {sample.name for family in parse_text(answer.text) for sample in family.samples}
    assert {"model_predictions_total", "model_confidence_sum", "model_confidence_count", "orders_total"} <= names


async def test_creation_times_are_left_out(client: httpx.AsyncClient) -> None:
    for accept in (PROMETHEUS, "*/*"):
        assert "_created" not in (await client.get("/metrics", headers={"accept": accept})).text


async def test_it_is_packed_for_those_who_ask(client: httpx.AsyncClient) -> None:
    plain = await client.get("/metrics", headers={"accept-encoding": "identity"})
    async with client.stream("GET", "/metrics", headers={"accept-encoding": "gzip"}) as packed:
        raw = b"".join([chunk async for chunk in packed.aiter_raw()])
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["content-length"] == str(len(raw))
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content) / 4
