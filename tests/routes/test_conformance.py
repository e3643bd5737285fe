"""The check of every answer in these tests does fail."""

import json

import httpx
import pytest
from jsonschema import ValidationError

from tests.routes.conformance import PROBLEM, Conformance

HEALTH = {
    "status": "ok",
    "version": "1",
    "commit": "",
    "model_version": "v",
    "engine": "onnx",
    "uptime_seconds": 0.5,
}


def answer(path: str, status: int, media_type: str, body: object) -> httpx.Response:
    return httpx.Response(
        status,
        headers={"Content-Type": media_type},
        content=json.dumps(body),
        request=httpx.Request("GET", f"http://service{path}"),
    )


def test_what_is_documented_passes(conformance: Conformance) -> None:
    conformance.check(answer("/health", 200, "application/json", HEALTH))


@pytest.mark.parametrize("change", [{"engine": "abacus"}, {"uptime_seconds": "0.5"}, {"status": None}])
def test_a_body_of_another_shape_fails(conformance: Conformance, change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        conformance.check(answer("/health", 200, "application/json", HEALTH | change))


@pytest.mark.parametrize(
    ("path", "status", "media_type", "reason"),
    [
        ("/health", 418, "application/json", "418 is not documented"),
        ("/pokemon/1", 500, PROBLEM, "500 is not documented"),
        ("/health", 200, "text/html", "text/html is not documented"),
        ("/pokemon/1", 404, "application/json", "application/json is not documented"),
    ],
)
def test_an_undocumented_status_or_media_type_fails(
    conformance: Conformance, path: str, status: int, media_type: str, reason: str
) -> None:
    with pytest.raises(AssertionError, match=reason):
        conformance.check(answer(path, status, media_type, HEALTH))


def test_a_missing_page_that_is_no_problem_fails(conformance: Conformance) -> None:
    with pytest.raises(ValidationError):
        conformance.check(answer("/nowhere", 404, PROBLEM, {"detail": "Not Found"}))
