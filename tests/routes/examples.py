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
from uuid import UUID

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api_pokemon.main import create_app
from api_pokemon.model.asked import AskedDuel
from api_pokemon.monitoring import Outcome, Prediction, encode
from api_pokemon.monitoring.drift_changes import Change
from api_pokemon.monitoring.drift_checking import DriftCheck, DriftChecks, GroupCheck
from api_pokemon.monitoring.drift_detection import FieldDrift
from api_pokemon.monitoring.report_summary import FieldSummary, ReportSummary
from api_pokemon.monitoring.stream import Entry
from api_pokemon.routes.documentation import EXAMPLES_FILE
from api_pokemon.routes.keys import digest_of
from api_pokemon.settings import Settings
from api_pokemon.stores import log_of, outboxes_of, reports_of

FILE = Path(str(files("api_pokemon.routes") / EXAMPLES_FILE))
_DUEL = {"pokemon_a_id": 1, "pokemon_b_id": 25}
_ADMIN = "an admin's key"
_DISTANCE = "Jensen-Shannon distance"
_AS_ADMIN = (("X-API-Key", _ADMIN),)

LOGGED, ENDED, PENDING, UNKNOWN, _OUTCOME, REPORT, _REFERENCE = (
    f"019fbd7c-cc0{n}-7abc-8def-0123456789ab" for n in range(1, 8)
)
"""Predictions and others of 1 August 2026."""

_VERSION = "20260714-5ca1ab1e"
_NOON = 1_785_585_600.0
_SCORES = (
    FieldDrift("attacker", "category", "request", 0.236, 0.041, 0.1, "drift", (Change("mewtwo", 0.005, 0.21),)),
    FieldDrift("win_probability", "number", "choice", 0.032, 0.044, 0.1, "no_drift", ()),
)
CHECK = DriftCheck(
    model_version=_VERSION,
    checked_seconds=_NOON,
    from_seconds=_NOON - 3600,
    to_seconds=_NOON,
    rows=4210,
    reference_rows=31_337,
    reference_id=_REFERENCE,
    reference_kind="window",
    verdict="drift",
    groups=(
        GroupCheck("request", "drift", "no_drift", 0.5, ("attacker",)),
        GroupCheck("choice", "no_drift", "no_drift", 0.0, ()),
    ),
    fields=_SCORES,
    numbers={"no_drift": 287, "drift": 1},
)
SUMMARY = ReportSummary(
    report_id=REPORT,
    model_version=_VERSION,
    from_seconds=CHECK.from_seconds,
    to_seconds=CHECK.to_seconds,
    rows=CHECK.rows,
    sampled_rows=CHECK.rows,
    reference_id=_REFERENCE,
    reference_kind="window",
    reference_rows=CHECK.reference_rows,
    sampled_reference_rows=10_000,
    verdict="drift",
    duration_seconds=11.25,
    fields=(
        FieldSummary("attacker", "category", "request", 0.236, 0.041, 0.1, "drift", 0.238, _DISTANCE, 0.1, True),
        FieldSummary("language", "category", "request", 0.0, 0.0, 0.1, "no_drift", left_out="always en"),
    ),
)


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
    Question("A logged prediction", "GET", f"/predictions/{LOGGED}"),
    Question("How it ended, in French", "GET", f"/predictions/{ENDED}", headers=(("Accept-Language", "fr"),)),
    Question("Not logged yet", "GET", f"/predictions/{PENDING}"),
    Question("An unknown prediction", "GET", f"/predictions/{UNKNOWN}"),
    Question("A bad id", "GET", "/predictions/25"),
    Question("A won", "POST", f"/predictions/{ENDED}/outcome", {"winner": "A"}),
    Question("B cannot have won, too", "POST", f"/predictions/{ENDED}/outcome", {"winner": "B"}),
    Question("An unknown prediction", "POST", f"/predictions/{UNKNOWN}/outcome", {"winner": "A"}),
    Question("A winner that is none", "POST", f"/predictions/{LOGGED}/outcome", {"winner": "Pikachu"}),
    Question("The last with Pikachu", "GET", "/predictions?pokemon=pikachu&limit=1", headers=_AS_ADMIN),
    Question("Without a key", "GET", "/predictions"),
    Question("A bad time", "GET", "/predictions?since=yesterday", headers=_AS_ADMIN),
    Question("A report", "POST", "/drift/reports", headers=_AS_ADMIN),
    Question("Players have found Mewtwo", "GET", "/drift/status", headers=_AS_ADMIN),
    Question("The last check", "GET", "/drift/history?limit=1", headers=_AS_ADMIN),
    Question("Too many", "GET", "/drift/history?limit=1000", headers=_AS_ADMIN),
    Question("The last report", "GET", "/drift/reports?limit=1", headers=_AS_ADMIN),
    Question("One as numbers", "GET", f"/drift/reports/{REPORT}.json", headers=_AS_ADMIN),
    Question("An unknown report", "GET", f"/drift/reports/{UNKNOWN}", headers=_AS_ADMIN),
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
    Question("Nothing is broken", "GET", "/faults", headers=_AS_ADMIN),
    Question("Slow metrics for two minutes", "PUT", "/faults/slow-metrics?seconds=120&level=0.5", headers=_AS_ADMIN),
    Question("Too slow", "PUT", "/faults/slow-metrics?level=60", headers=_AS_ADMIN),
    Question("Whole again", "DELETE", "/faults/slow-metrics", headers=_AS_ADMIN),
    Question("An unknown fault", "DELETE", "/faults/slow-pikachu", headers=_AS_ADMIN),
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


def example_app(folder: Path) -> FastAPI:
    """The service around the shipped model, with two predictions in its log and one on the way there."""
    settings = Settings(
        data_dir=folder,
        model_version="",
        tablebase=False,
        admin_keys=(digest_of(_ADMIN).hex(),),
        anonymous_predict=True,
        faults=True,
        _env_file=None,
    )
    log = log_of(settings)
    log.migrate()
    events = (_prediction(LOGGED), _prediction(ENDED), Outcome(_OUTCOME, ENDED, happened=True))
    log.write([Entry(str(UUID(int=0)), number, encode(event)) for number, event in enumerate(events, start=1)])
    DriftChecks(log.engine).keep([CHECK])
    numbers = {"metrics": [{"metric_name": "DriftedColumnsCount(drift_share=0.5)", "value": {"count": 1, "share": 1}}]}
    reports_of(settings).keep(SUMMARY, "<!doctype html><title>A report</title>", json.dumps(numbers))
    with outboxes_of(settings).claim() as claim:
        outbox = outboxes_of(settings).open(claim.path)
        outbox.append([(PENDING, encode(_prediction(PENDING)))])
        outbox.close()
    return create_app(settings)


def _prediction(prediction_id: str) -> Prediction:
    """Always the same, whatever model is shipped."""
    asked = AskedDuel(form_a=1, form_b=25, moves=(75, 57), moves_b=None, ranked=((75, 0.625), (57, 0.25)))
    return Prediction(
        prediction_id,
        _VERSION,
        asked.ranked[0][1],
        duration_seconds=0.00002,
        request={"attacker": "bulbasaur", "defender": "pikachu", "candidate_moves": 2, "language": "en"},
        choice={"move_type": "Grass", "move_power": 55, "learnable": True, "win_probability": 0.625},
        payload=asked.payload(),
    )


def main() -> None:
    """Record all examples from the shipped model."""
    with tempfile.TemporaryDirectory() as folder:
        app = example_app(Path(folder))
        examples = asyncio.run(record_all(app))
    FILE.write_text(json.dumps(examples, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
