"""What the OpenAPI document tells beyond what FastAPI reads from the code."""

import json
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from itertools import chain
from typing import Any

from fastapi.routing import APIRoute

from api_pokemon.routes.application import Application
from api_pokemon.routes.keys import Role, scheme_of
from api_pokemon.routes.problems import MEDIA_TYPE, Kind

SUMMARY = "Which of my moves gives me the best chance to win this Let's Go duel?"
DESCRIPTION = """\
Two Pokémon, one on one, each committed to one damaging move until one of them faints. Level 50, IV 31, no Awakening
Values, Serious nature, friendship 70, no items, no abilities; recharge, charge and lock-in as the game has them,
Struggle at 0 PP. Truth is the Pokémon Showdown simulator, mod `gen7letsgo`; a model that learnt from its battles
answers.

Names can be given in English or French. They come back in the language of `Accept-Language`.

Everything that goes wrong is told as [problem details](https://www.rfc-editor.org/rfc/rfc9457) of media type
`application/problem+json`; [/problems](/problems) lists every type.
"""
TAGS = [
    {"name": "predictions", "description": "The best move, and the model that knows it."},
    {"name": "drift", "description": "Whether what is asked and answered still looks as it should."},
    {"name": "game", "description": "Pokémon, moves and types of Let's Go Pikachu and Eevee."},
    {"name": "operation", "description": "Health and metrics, for those who run the service."},
]


EXAMPLES_FILE = "examples.json"
"""Requests, with what the service answered; ``tests/routes/examples.py`` records them and holds the service to them."""


class DocumentedApi(Application):
    """With real examples in its OpenAPI document, and for each operation, who may ask for it.

    Parameters
    ----------
    predictions_open
        Tells whether predictions need no key now; the document follows.
    """

    def __init__(self, predictions_open: Callable[[], bool], **options: Any) -> None:
        super().__init__(**options)
        self._predictions_open = predictions_open
        self._told_open = False

    def openapi(self) -> dict[str, Any]:
        is_open = self._predictions_open()
        if is_open != self._told_open:
            self.openapi_schema, self._told_open = None, is_open
        first_time = self.openapi_schema is None
        document = super().openapi()
        if first_time:
            _tell_all_failures(document)
            _tell_who_may(document, predictions_open=is_open)
            add_examples(document, json.loads(files(__package__).joinpath(EXAMPLES_FILE).read_bytes()))
        return document


def _tell_who_may(document: dict[str, Any], *, predictions_open: bool) -> None:
    """State the need of every operation: a key of the role or of an admin, none where none is needed."""
    for operation in chain.from_iterable(methods.values() for methods in document["paths"].values()):
        (needed,) = operation.get("security") or ({},)
        operation["security"] = [needed] if needed else []
        if needed and _ADMIN_KEY not in needed:
            operation["security"].append({_ADMIN_KEY: []})
        if _METRICS_KEY in needed:
            operation["security"].append({_BEARER: []})
            document["components"]["securitySchemes"][_BEARER] = {"type": "http", "scheme": "bearer"}
        if _PREDICT_KEY in needed and predictions_open:
            operation["security"].append({})


_METRICS_KEY, _PREDICT_KEY, _ADMIN_KEY = map(scheme_of, (Role.METRICS, Role.PREDICT, Role.ADMIN))
_BEARER = f"{_METRICS_KEY} as a bearer token"


def _tell_all_failures(document: dict[str, Any]) -> None:
    """Replace what FastAPI says of failures, which is not how this service answers them."""
    document["components"]["schemas"].pop("HTTPValidationError", None)
    document["components"]["schemas"].pop("ValidationError", None)
    for operation in chain.from_iterable(methods.values() for methods in document["paths"].values()):
        responses = operation["responses"]
        if MEDIA_TYPE not in responses.get("422", {}).get("content", {MEDIA_TYPE: {}}):
            del responses["422"]
        responses["default"] = _failure("Whatever else can fail (`/problems` lists it all).")


def _failure(description: str) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content}


def add_examples(document: dict[str, Any], examples: Iterable[Mapping[str, Any]]) -> None:
    """Put each request and its answer to their operation in an OpenAPI document."""
    for example in examples:
        operation = document["paths"][example["template"]][example["method"].lower()]
        if "body" in example:
            _add(operation["requestBody"]["content"]["application/json"], example, example["body"])
        content = operation["responses"][str(example["status"])]["content"]
        _add(content[example["media_type"]], example, example["answer"])


def _add(content: dict[str, Any], example: Mapping[str, Any], value: object) -> None:
    content.setdefault("examples", {})[example["name"]] = {"summary": example["summary"], "value": value}


def operation_id(route: APIRoute) -> str:
    """The name of the function, which is unique: generated clients get the same names as the source."""
    return route.name


def problems(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that can fail in these ways, one entry a status."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        line = f"- [`{kind.slug}`]({kind.uri}): {kind.title}. {kind.remedy}"
        response = responses.setdefault(kind.status, _failure(""))
        response["description"] = f"{response['description']}\n{line}".strip()
    return dict(sorted(responses.items(), key=lambda response: str(response[0])))
