"""What each part of a prediction costs, in microseconds of CPU time.

    python -m benchmarks.request_parts

Each part is taken alone, over the same random duels, four moves against an unknown moveset; the figure is the quickest
of many passes, in warm caches. The outbox is timed for 32 callers at a time, both threads together. *Whole* is the
same requests through all of the application, 32 at a time; what the parts do not explain is FastAPI's router, the
other middleware and the event loop. What the server does for the socket is in none of it.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any
from unittest.mock import patch

import msgspec
import psutil
from fastapi import FastAPI
from starlette.applications import Starlette

from api_pokemon.dex import load_dex
from api_pokemon.garbage import spare_what_stays
from api_pokemon.main import create_app
from api_pokemon.model import ModelPredictor, MoveRanker, open_model
from api_pokemon.monitoring import OutboxFolder, OutboxRecorder, Prediction
from api_pokemon.monitoring.events import encode
from api_pokemon.routes.answers import Answers
from api_pokemon.routes.best_moves import BestMoves
from api_pokemon.routes.door import Refusal, door_of
from api_pokemon.routes.schemas import Duel
from benchmarks.events import renewed
from benchmarks.metrics_cost import parts as metrics_parts
from benchmarks.recording import data_folder
from benchmarks.service_time import Engines, bodies, both_engines, call, scope_for, settings_for

_CALLERS = 32
_REQUESTS = 10 * _CALLERS


def quickest(act: Callable[[], object], passes: int, requests: int = _REQUESTS) -> float:
    """CPU time of this process for one request, in microseconds."""
    took = []
    for _ in range(passes):
        began = process_time()
        act()
        took.append(process_time() - began)
    return min(took) / requests * 1e6


def inference(predictor: ModelPredictor, duels: Sequence[Duel]) -> Callable[[], object]:
    """The rows that the duels make, through the network alone."""
    asked: list[Any] = []
    score, ranker = predictor.score, MoveRanker(load_dex(), predictor)

    def note(rows: Any) -> Any:
        asked.append(rows)
        return score(rows)

    with patch.object(predictor, "score", note):
        for duel in duels:
            ranker.rank(duel.pokemon_a_id, duel.pokemon_b_id, duel.available_moves)
    return lambda: [score(rows) for rows in asked]


def gathered(ranker: MoveRanker, duels: Sequence[Duel], passes: int) -> float:
    """Names to rankings, for so many callers at a time, who share runs of inference."""

    async def rank(duel: Duel) -> object:
        asked, begun = ranker.begin(duel.pokemon_a_id, duel.pokemon_b_id, duel.available_moves)
        return ranker.ranking(asked, await begun.answers())

    with asyncio.Runner() as runner:
        acts = [partial(rank, duel) for duel in duels]
        return quickest(lambda: runner.run(_together(acts)), passes)


async def _together(acts: Sequence[Callable[[], Any]]) -> None:
    for start in range(0, len(acts), _CALLERS):
        await asyncio.gather(*(act() for act in acts[start : start + _CALLERS]))


def outbox(predictions: Sequence[Prediction], passes: int) -> float:
    """From a prediction to its commit, for so many callers at a time."""
    with TemporaryDirectory(prefix="parts-") as folder, asyncio.Runner() as runner:
        outboxes = OutboxFolder(Path(folder))
        with outboxes.claim() as claim:
            recorder = OutboxRecorder(lambda: outboxes.open(claim.path))

            def record() -> None:
                events = renewed(predictions, len(predictions))
                runner.run(_together([partial(recorder.record, event) for event in events]))

            took = quickest(record, passes)
            recorder.close()
    return took


def whole(app: FastAPI, requests: Sequence[bytes], passes: int) -> float:
    with asyncio.Runner() as runner:
        acts = [partial(call, app, body) for body in requests]
        return quickest(lambda: runner.run(_together(acts)), passes)


def admission(app: Starlette, requests: Sequence[bytes], passes: int) -> float:
    """A request let in, and its place given back."""
    door, scopes = door_of(app), [scope_for(body) for body in requests]

    def admit() -> None:
        for scope in scopes:
            admitted = door.admit(scope)
            if isinstance(admitted, Refusal):
                raise RuntimeError("A request was not let in.")
            admitted.leave()

    return quickest(admit, passes)


def parts(engines: Engines, requests: Sequence[bytes], passes: int) -> Iterator[tuple[str, float]]:
    dex = load_dex()
    stored, live = (
        open_model(dex, folder / "models" / engines.model) for folder in (engines.tablebase_dir, engines.onnx_dir)
    )
    stored.load_tablebase()
    duels = [Duel.model_validate_json(body) for body in requests]
    writer, encode_answer = Answers(dex), msgspec.json.Encoder().encode
    ranker = MoveRanker(dex, stored)
    best_moves = BestMoves(ranker, stored.version, writer)
    rankings = [ranker.rank(duel.pokemon_a_id, duel.pokemon_b_id, duel.available_moves) for duel in duels]
    found = [best_moves.predict(duel, "en") for duel in duels]
    predictions = [prediction for prediction, _ in found]

    def ranked(ranker: MoveRanker) -> Callable[[], object]:
        return lambda: [ranker.rank(duel.pokemon_a_id, duel.pokemon_b_id, duel.available_moves) for duel in duels]

    def written() -> object:
        return [
            encode_answer(writer.best_move(ranking, "en", prediction_id="", model_version="")) for ranking in rankings
        ]

    yield "validation", quickest(lambda: [Duel.model_validate_json(body) for body in requests], passes)
    yield "look-up: names to a ranking, from the tablebase", (lookup := quickest(ranked(ranker), passes))
    few = max(2, passes // 10)
    yield "the same, live: features and inference", quickest(ranked(MoveRanker(dex, live)), few)
    yield "  of which inference", quickest(inference(live, duels), few)
    yield "the same, live, of 32 callers at a time, who share runs", gathered(MoveRanker(dex, live), duels, few)
    yield "serialisation: the answer, then its JSON", quickest(written, passes)
    whole_predict = quickest(lambda: [best_moves.predict(duel, "en") for duel in duels], passes)
    answers = quickest(
        lambda: [writer.best_move(r, "en", prediction_id="", model_version="") for r in rankings], passes
    )
    yield "what is recorded: id, monitored fields, payload", whole_predict - lookup - answers
    yield "outbox: encoded, committed, told", outbox(predictions, passes)
    yield "  of which encoding", quickest(lambda: [encode(prediction) for prediction in predictions], passes)
    yield from (("metrics: " + name, cost) for name, cost in metrics_parts().items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passes", type=int, default=100)
    parser.add_argument("--data-dir", type=Path, help="keeps the compiled tablebase from run to run")
    options = parser.parse_args()
    spare_what_stays()
    requests = bodies(load_dex(), _REQUESTS)
    with both_engines(load_dex(), options.data_dir) as engines, data_folder(engines.tablebase_dir) as folder:
        print(f"{date.today()}, {psutil.cpu_count()} CPUs, model {engines.model}, microseconds of CPU time\n")
        for name, cost in parts(engines, requests, options.passes):
            print(f"{cost:8.2f}  {name}", flush=True)
        settings = settings_for(Path(folder["API_POKEMON_DATA_DIR"]), engines.model)
        app, limited = create_app(settings), create_app(settings.model_copy(update={"rate_limit": "10000000/minute"}))
        spare_what_stays()
        unlimited = admission(app, requests, options.passes)
        print(f"{unlimited:8.2f}  admission")
        print(f"{admission(limited, requests, options.passes) - unlimited:8.2f}  rate limit, far from reached")
        print(f"{whole(app, requests, options.passes):8.2f}  whole, without admission", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
