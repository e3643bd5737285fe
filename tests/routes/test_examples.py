"""The examples in the OpenAPI document are what the shipped model answers today."""

import json
from typing import Any

import pytest
from fastapi import FastAPI

from tests.routes.examples import FILE, QUESTIONS, Question, example_app, record

RECORDED: list[dict[str, Any]] = json.loads(FILE.read_bytes())
CHANGES_EACH_TIME = {
    *("job_id", "next_check_at", "next_report_at", "prediction_id", "remaining_seconds", "uptime_seconds"),
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return example_app(tmp_path_factory.mktemp("data"))


def steady(value: Any) -> Any:
    """Without what changes each time."""
    if isinstance(value, dict):
        return {name: steady(inner) for name, inner in value.items() if name not in CHANGES_EACH_TIME}
    return [steady(inner) for inner in value] if isinstance(value, list) else value


def nearly(value: Any) -> Any:
    """Equal to all that differs from it by no more than two processors may."""
    if isinstance(value, dict):
        return {name: nearly(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [nearly(inner) for inner in value]
    return pytest.approx(value, abs=2e-6) if isinstance(value, float) else value


@pytest.mark.parametrize(("question", "recorded"), list(zip(QUESTIONS, RECORDED, strict=True)))
async def test_an_example_is_what_the_service_answers(
    app: FastAPI, question: Question, recorded: dict[str, Any]
) -> None:
    answered = await record(app, question)
    assert steady(answered) == nearly(steady(recorded)), "record them anew: python -m tests.routes.examples"
