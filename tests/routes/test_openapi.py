import json
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from tests.routes.conformance import PROBLEM
from tests.routes.examples import FILE

EXAMPLES: list[dict[str, Any]] = json.loads(FILE.read_bytes())


@pytest.fixture(scope="module")
def document(shared_app: FastAPI) -> dict[str, Any]:
    return shared_app.openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(path, operation) for path, methods in document["paths"].items() for operation in methods.values()]


def test_every_operation_is_named_and_explained(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert ids == [
        "predict_best_move",
        "predict_best_moves",
        "list_predictions",
        "get_prediction",
        "report_outcome",
        "get_drift_status",
        "get_drift_history",
        "list_drift_reports",
        "request_drift_report",
        "get_drift_report",
        "get_model_info",
        "list_pokemon",
        "get_pokemon",
        "list_moves",
        "get_move",
        "get_types",
        "get_live",
        "get_ready",
        "get_health",
        "get_metrics",
        "list_faults",
        "cause_fault",
        "end_fault",
    ]
    tags = {tag["name"] for tag in document["tags"]}
    for _, operation in operations(document):
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) < tags


def test_every_operation_has_examples_for_its_answer(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        if path != "/metrics":
            for status in operation["responses"].keys() & {"200", "202"}:
                assert operation["responses"][status]["content"]["application/json"]["examples"]


def test_what_needs_a_key_names_its_header(document: dict[str, Any]) -> None:
    """Which operation needs which, `test_access` says."""
    assert list(document["components"]["securitySchemes"]) == ["predict key", "admin key"]
    for scheme in document["components"]["securitySchemes"].values():
        assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "X-API-Key")


def test_problems_have_one_schema_and_their_media_type(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        failures = {status: answer for status, answer in operation["responses"].items() if status[0] != "2"}
        assert "default" in failures
        for answer in failures.values():
            assert list(answer["content"]) == [PROBLEM]
            assert answer["content"][PROBLEM]["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert answer["description"]


def test_the_language_can_be_chosen_wherever_there_are_names(document: dict[str, Any]) -> None:
    speaking = {
        path
        for path, operation in operations(document)
        if any(parameter["name"] == "Accept-Language" for parameter in operation.get("parameters", ()))
    }
    assert speaking == {
        path
        for path in document["paths"]
        if path.startswith(("/predict/best", "/predictions", "/pokemon", "/moves", "/types"))
    }


def test_the_limits_of_a_duel_are_stated(document: dict[str, Any]) -> None:
    duel = document["components"]["schemas"]["Duel"]
    assert duel["required"] == ["pokemon_a_id", "pokemon_b_id", "available_moves"]
    assert duel["additionalProperties"] is False
    assert (duel["properties"]["pokemon_a_id"]["minimum"], duel["properties"]["pokemon_a_id"]["maximum"]) == (
        1,
        2**31 - 1,
    )
    assert (duel["properties"]["available_moves"]["minItems"], duel["properties"]["available_moves"]["maxItems"]) == (
        1,
        20,
    )
    assert document["components"]["schemas"]["DuelBatch"]["properties"]["duels"]["maxItems"] == 256


def test_the_bounds_of_every_whole_number_are_stated(document: dict[str, Any]) -> None:
    bounds = {
        (parameter["name"], parameter["schema"].get("minimum"), parameter["schema"].get("maximum"))
        for _, operation in operations(document)
        for parameter in operation.get("parameters", ())
        if parameter["schema"].get("type") == "integer"
    }
    assert bounds == {
        *(("limit", 1, most) for most in (200, 250, 500)),
        ("offset", 0, 2**31 - 1),
        ("pokemon_id", 1, 2**31 - 1),
        ("move_id", 1, 2**31 - 1),
    }


def test_every_schema_is_one(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_no_schema_is_left_over(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text


def test_the_document_points_nowhere_but_to_this_service_and_to_standards(document: dict[str, Any]) -> None:
    assert "servers" not in document
