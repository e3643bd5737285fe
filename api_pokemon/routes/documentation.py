"""What the OpenAPI document tells beyond what FastAPI reads from the code."""

from typing import Any

from fastapi.routing import APIRoute

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
    {"name": "game", "description": "Pokémon, moves and types of Let's Go Pikachu and Eevee."},
    {"name": "operation", "description": "Health and metrics, for those who run the service."},
]


def operation_id(route: APIRoute) -> str:
    """The name of the function, which is unique: generated clients get the same names as the source."""
    return route.name


def problems(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that can fail in these ways, one entry a status."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        line = f"- [`{kind.slug}`]({kind.uri}): {kind.title}. {kind.remedy}"
        response = responses.setdefault(
            kind.status,
            {"description": "", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}},
        )
        response["description"] = f"{response['description']}\n{line}".strip()
    return responses
