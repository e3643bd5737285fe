"""The examples of the OpenAPI document: what is asked, and what the service answers to it.

``python -m tests.routes.examples`` records them anew, into a file of the package; a test holds the service against it.
"""

import asyncio
import json
import re
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from unicodedata import normalize

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api_pokemon.main import create_app
from api_pokemon.routes.documentation import EXAMPLES_FILE
from api_pokemon.settings import Settings

FILE = Path(str(files("api_pokemon.routes") / EXAMPLES_FILE))
_DUEL = {"pokemon_a_id": 1, "pokemon_b_id": 25}


@dataclass(frozen=True, slots=True)
class Question:
    """A request that shows something."""

    summary: str
    method: str
    path: str
    body: object = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        plain = normalize("NFKD", self.summary.lower()).encode("ascii", "ignore").decode()
        return "-".join(re.findall(r"\w+", plain))


QUESTIONS = (
    Question(
        "Against all that the opponent may know",
        "POST",
        "/predict/best-move",
        {**_DUEL, "available_moves": ["Surf", "Razor Leaf", "Sleep Powder"]},
    ),
    Question(
        "Against moves that are known, in French",
        "POST",
        "/predict/best-move",
        {**_DUEL, "available_moves": ["Tranch'Herbe", "Plaquage"], "available_moves_b": ["Fatal-Foudre"]},
        (("Accept-Language", "fr"),),
    ),
    Question(
        "An unknown Pokémon",
        "POST",
        "/predict/best-move",
        {"pokemon_a_id": 1, "pokemon_b_id": 999, "available_moves": ["Surf"]},
    ),
    Question("An unknown move", "POST", "/predict/best-move", {**_DUEL, "available_moves": ["Thunder Pnch"]}),
    Question("Only status moves", "POST", "/predict/best-move", {**_DUEL, "available_moves": ["Growl"]}),
    Question(
        "A Pokémon that cannot attack",
        "POST",
        "/predict/best-move",
        {"pokemon_a_id": 11, "pokemon_b_id": 25, "available_moves": ["Surf"]},
    ),
    Question(
        "Bad values", "POST", "/predict/best-move", {"pokemon_a_id": 0, "pokemon_b_id": "25", "available_moves": []}
    ),
    Question(
        "Two duels",
        "POST",
        "/predict/best-move/batch",
        {
            "duels": [
                {**_DUEL, "available_moves": ["Surf"]},
                {"pokemon_a_id": 999, "pokemon_b_id": 25, "available_moves": ["Surf"]},
            ]
        },
    ),
    Question("No duel", "POST", "/predict/best-move/batch", {"duels": []}),
    Question("The model", "GET", "/predict/model-info"),
    Question("All of the Pikachu family", "GET", "/pokemon?search=chu"),
    Question("A bad limit", "GET", "/pokemon?limit=0"),
    Question("Pikachu", "GET", "/pokemon/25"),
    Question("An unknown Pokémon", "GET", "/pokemon/999"),
    Question("A bad id", "GET", "/pokemon/pikachu"),
    Question("The first two moves", "GET", "/moves?limit=2"),
    Question("A bad offset", "GET", "/moves?offset=-1"),
    Question("Spore", "GET", "/moves/147"),
    Question("An unknown move", "GET", "/moves/999"),
    Question("A bad id", "GET", "/moves/1.5"),
    Question("The chart", "GET", "/types"),
    Question("Live", "GET", "/health/live"),
    Question("Ready", "GET", "/health/ready"),
    Question("Healthy", "GET", "/health"),
)


async def record(app: FastAPI, question: Question) -> dict[str, Any]:
    """What the document shall tell of a question."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        response = await client.request(
            question.method, question.path, json=question.body, headers=dict(question.headers)
        )
    return {
        "summary": question.summary,
        "name": question.name,
        "method": question.method,
        "template": _template(app, response.request.url.path),
        **({} if question.body is None else {"body": question.body}),
        "status": response.status_code,
        "media_type": response.headers["content-type"],
        "answer": response.json(),
    }


def _template(app: FastAPI, path: str) -> str:
    return next(route.path for route in app.routes if isinstance(route, APIRoute) and route.path_regex.match(path))


async def record_all(app: FastAPI) -> list[dict[str, Any]]:
    return [await record(app, question) for question in QUESTIONS]


def main() -> None:
    """Record all examples from the shipped model."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(data_dir=Path(folder), tablebase=False, _env_file=None))
        examples = asyncio.run(record_all(app))
    FILE.write_text(json.dumps(examples, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
