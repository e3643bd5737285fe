"""How long a prediction takes inside the service: all from the ASGI server's call to the last byte of the answer.

    python -m benchmarks.service_time

Four moves against an unknown moveset, random Pokémon in a fixed order, all metrics on. What is not in it is the
server's own work of reading and writing the socket. Prints median and p99 for each engine; ends with
status 1 where a median is out of bounds.
"""

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import perf_counter_ns
from typing import NamedTuple

import psutil
from fastapi import FastAPI
from starlette.types import Message, Scope

from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex, load_dex
from api_pokemon.errors import ModelMissingError
from api_pokemon.main import create_app
from api_pokemon.model import MoveRanker, install_version, open_model
from api_pokemon.model.registry import TABLEBASE_DIR
from api_pokemon.model.tablebase import compile_tablebase
from api_pokemon.routes.schemas import Duel
from api_pokemon.settings import Settings

MOVES = 4
WARM_UP = 500
BOUNDS = {"tablebase": 200.0, "onnx": 1000.0}
"""Of the median, in microseconds."""


@dataclass(frozen=True, slots=True)
class Times:
    """Sorted durations in microseconds."""

    microseconds: Sequence[float]

    def quantile(self, share: float) -> float:
        return self.microseconds[int(share * (len(self.microseconds) - 1))]


def bodies(dex: Dex, count: int, seed: int = 1, *, replies: bool = False) -> list[bytes]:
    """Requests of random Pokémon that can duel, A with four random moves of its own, and B too if it names replies."""
    tables = DuelTables(dex)
    moves_of: dict[int, list[str]] = {}
    for form, move in zip(tables.pair_form, tables.pair_move, strict=True):
        moves_of.setdefault(tables.form_ids[form], []).append(dex.move(tables.moves.ids[move]).name)
    able = [form_id for form_id, moves in moves_of.items() if len(moves) >= MOVES]
    random_ = random.Random(seed)
    requests = []
    for a in random_.choices(able, k=count):
        b = random_.choice(able)
        duel = {"pokemon_a_id": a, "pokemon_b_id": b, "available_moves": random_.sample(moves_of[a], MOVES)}
        if replies:
            duel["available_moves_b"] = random_.sample(moves_of[b], MOVES)
        requests.append(json.dumps(duel).encode())
    return requests


def scope_for(body: bytes) -> Scope:
    """What uvicorn would hand over for a usual client."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/predict/best-move",
        "raw_path": b"/predict/best-move",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"localhost:8000"),
            (b"accept", b"*/*"),
            (b"accept-encoding", b"gzip, deflate"),
            (b"user-agent", b"python-httpx/0.28"),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


async def call(app: FastAPI, body: bytes) -> float:
    """Microseconds of one request; a failed one stops the benchmark."""
    status = 0

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = scope_for(body)
    began = perf_counter_ns()
    await app(scope, receive, send)
    ended = perf_counter_ns()
    if status != 200:
        raise RuntimeError(f"{body!r} was answered with {status}.")
    return (ended - began) / 1000


async def measure(app: FastAPI, requests: Sequence[bytes]) -> Times:
    for body in requests[:WARM_UP]:
        await call(app, body)
    return Times(sorted([await call(app, body) for body in requests]))


def ranking_times(ranker: MoveRanker, requests: Sequence[bytes]) -> Times:
    """The model's part: from names to a ranking."""
    duels = [Duel.model_validate_json(body) for body in requests]
    microseconds = []
    for duel in duels:
        began = perf_counter_ns()
        ranker.rank(duel.pokemon_a_id, duel.pokemon_b_id, duel.available_moves)
        microseconds.append((perf_counter_ns() - began) / 1000)
    return Times(sorted(microseconds[WARM_UP:]))


def report(name: str, times: Times, bound: str = "") -> None:
    print(f"{name:<32} {times.quantile(0.5):9.1f} {times.quantile(0.99):9.1f} {bound:>9}")


def compile_into(folder: Path, dex: Dex) -> None:
    """Give the model version in that folder its tablebase, where it has none."""
    target = folder / TABLEBASE_DIR
    if not target.is_dir():
        print("compiling the tablebase; this takes a minute or two", flush=True)
        predictor = open_model(dex, folder)
        compile_tablebase(predictor.features, predictor.score, predictor.metadata.model_sha256, target)


class Engines(NamedTuple):
    """Two data folders with the same model version: one where it has its tablebase, one where it has none."""

    model: str
    tablebase_dir: Path
    onnx_dir: Path


@contextmanager
def both_engines(dex: Dex, data_dir: Path | None, model_version: str = "") -> Iterator[Engines]:
    """Folders that go afterwards, but for that of the tablebase if it is given: it keeps the tablebase."""
    with tempfile.TemporaryDirectory(prefix="engines-") as temporary:
        compiled_dir, live_dir = data_dir or Path(temporary, "compiled"), Path(temporary, "live")
        folder = install_version(compiled_dir / "models", model_version)
        compile_into(folder, dex)
        shutil.copytree(folder, live_dir / "models" / folder.name, ignore=shutil.ignore_patterns(TABLEBASE_DIR))
        yield Engines(folder.name, compiled_dir, live_dir)


def settings_for(data_dir: Path, model_version: str) -> Settings:
    return Settings(data_dir=data_dir, model_version=model_version, tablebase=False, _env_file=None)


def report_engine(settings: Settings, dex: Dex, requests: Sequence[bytes]) -> bool:
    """Print two lines, the request and the part of it that is the model's; returns whether the median is in bounds."""
    predictor = open_model(dex, settings.data_dir / "models" / settings.model_version)
    with contextlib.suppress(ModelMissingError):
        predictor.load_tablebase()
    ranking = ranking_times(MoveRanker(dex, predictor), requests)
    request = asyncio.run(measure(create_app(settings), requests))
    report(f"request, {predictor.engine}", request, str(BOUNDS[predictor.engine]))
    report("  of which ranking the moves", ranking)
    return request.quantile(0.5) <= BOUNDS[predictor.engine]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--data-dir", type=Path, help="keeps the compiled tablebase from run to run")
    parser.add_argument("--model-version", default="", help="a version in the data folder; default: the shipped one")
    arguments = parser.parse_args()
    dex = load_dex()
    requests = bodies(dex, arguments.requests)
    with both_engines(dex, arguments.data_dir, arguments.model_version) as engines:
        print(f"{date.today()}, {psutil.cpu_count()} CPUs, model {engines.model}, {len(requests)} requests\n")
        print(f"{'microseconds':<32} {'median':>9} {'p99':>9} {'bound':>9}")
        within = [
            report_engine(settings_for(data_dir, engines.model), dex, requests)
            for data_dir in (engines.tablebase_dir, engines.onnx_dir)
        ]
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
