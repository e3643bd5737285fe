"""What a request, a look-up and a batch cost, by counting: the same on every machine, however busy it is.

A bound is what the thing costs now and about a tenth more. Where one is exceeded by a change that is worth it, raise
it; `python -m benchmarks.service_time` tells what it takes in microseconds.
"""

import asyncio
import gc
import sys
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

import msgspec
import numpy as np
import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from sqlalchemy import Engine, event

from api_pokemon.dex import load_dex
from api_pokemon.main import create_app
from api_pokemon.model import MoveRanker, open_model
from api_pokemon.model.baseline import find_baseline
from api_pokemon.model.lookup import Lookup
from api_pokemon.model.monitored_rows import LOOKED_UP
from api_pokemon.model.registry import SHIPPED, shipped_version
from api_pokemon.model.tablebase import Tablebase
from api_pokemon.monitoring import Outbox, OutboxRecorder
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.events import encode
from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.monitoring.profile_writing import ProfileWriter
from api_pokemon.monitoring.stream import Entry
from api_pokemon.routes.answers import Answers
from api_pokemon.routes.best_moves import BestMoves
from api_pokemon.routes.schemas import Duel
from api_pokemon.settings import Settings
from benchmarks.events import duel_predictions, renewed
from benchmarks.service_time import bodies, call

WRITER = "8a4f4d0e-6f5a-4c3c-9d53-2f2a0c6c7b10"

MOST_CALLS = 770
"""Of functions, those written in C too, for one request in the thread of the event loop, answered by ONNX."""

MOST_CALLS_TOGETHER = 390
"""The same for each of 32 requests at a time, which share runs of the model."""

MOST_LOOKUP_CALLS = 107
"""The same for ranking and writing four moves against four replies, from a tablebase."""


MOST_BYTES = {True: 49_000, False: 91_000}
"""That one such request has at its height, with named replies and without: of Python's objects and numpy's arrays."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return create_app(Settings(data_dir=tmp_path_factory.mktemp("data"), tablebase=False, _env_file=None))


@contextmanager
def counted_calls() -> Iterator[Counter[str]]:
    """How many functions this thread calls."""
    counts: Counter[str] = Counter()

    def count(frame: FrameType, what: str, argument: object) -> None:
        counts[what] += 1

    sys.setprofile(count)
    try:
        yield counts
    finally:
        sys.setprofile(None)


async def calls_of(act: Callable[[], Awaitable[object]], times: int = 10) -> int:
    """The fewest of some times: what waits for another thread may look for it more than once."""
    found = []
    for _ in range(times):
        with counted_calls() as counts:
            await act()
        found.append(counts["call"] + counts["c_call"])
    return min(found)


@pytest.mark.parametrize("replies", [True, False], ids=["named replies", "unknown moveset"])
async def test_a_prediction_calls_few_functions(app: FastAPI, replies: bool) -> None:
    body = bodies(load_dex(), 1, replies=replies)[0]
    await call(app, body)
    assert await calls_of(lambda: call(app, body)) <= MOST_CALLS


@pytest.mark.parametrize("replies", [True, False], ids=["named replies", "unknown moveset"])
async def test_callers_at_the_same_time_share_the_calls(app: FastAPI, replies: bool) -> None:
    requests = bodies(load_dex(), 32, replies=replies)
    await call(app, requests[0])
    calls = await calls_of(lambda: asyncio.gather(*(call(app, body) for body in requests)))
    assert calls / len(requests) <= MOST_CALLS_TOGETHER


def test_what_is_looked_up_is_ranked_and_written_by_few_functions() -> None:
    dex = load_dex()
    predictor = open_model(dex, SHIPPED / shipped_version())
    pairs, forms = len(predictor.tables.pair_form), len(predictor.tables.form_ids)
    coins = Tablebase(
        *(np.zeros(shape, np.uint16) for shape in ((pairs, pairs), (pairs, forms), (pairs, forms))),
        *(np.ones((pairs, forms), np.float32) for _ in range(2)),
    )
    predictor._lookup = Lookup(coins, predictor.tables)
    best_moves, write = BestMoves(MoveRanker(dex, predictor), "v1", Answers(dex)), msgspec.json.Encoder().encode
    duel = Duel.model_validate_json(bodies(dex, 1, replies=True)[0])
    with counted_calls() as counts:
        _, answer = best_moves.predict(duel, "en")
        write(answer)
    assert len(answer.all_moves) == 4
    assert 20 < counts["call"] + counts["c_call"] <= MOST_LOOKUP_CALLS, counts


async def test_a_prediction_leaves_nothing_in_memory(app: FastAPI) -> None:
    requests = bodies(load_dex(), 1_000)
    for body in requests:  # after which what is kept of the last ones is full
        await call(app, body)
    gc.collect()
    before = sys.getallocatedblocks()
    for body in requests:
        await call(app, body)
    gc.collect()
    assert sys.getallocatedblocks() - before < len(requests) / 2


async def allocated_at_once(act: Callable[[], Awaitable[object]], times: int = 10) -> int:
    """The fewest bytes of some times that were allocated at the height of it, beside those before."""
    found = []
    tracemalloc.start()
    try:
        for _ in range(times):
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            await act()
            found.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    return min(found)


@pytest.mark.parametrize("replies", [True, False], ids=["named replies", "unknown moveset"])
async def test_a_prediction_allocates_little(app: FastAPI, replies: bool) -> None:
    body = bodies(load_dex(), 1, replies=replies)[0]
    await call(app, body)
    assert 1000 < await allocated_at_once(lambda: call(app, body)) <= MOST_BYTES[replies]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PredictionLog]:
    log = PredictionLog(connect(f"sqlite:///{tmp_path}/log.sqlite"), looked_up=LOOKED_UP)
    log.migrate()
    yield log
    log.engine.dispose()


@contextmanager
def counted_statements(engine: Engine) -> Iterator[list[str]]:
    """What the database is asked to do, BEGIN and the like included."""
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def statements_of_a_batch(log: PredictionLog, profiles: ProfileWriter, size: int, first: int) -> list[str]:
    entries = [
        Entry(WRITER, number, encode(prediction))
        for number, prediction in enumerate(renewed(duel_predictions(100), size), first)
    ]
    with counted_statements(log.engine) as statements:
        assert len(log.write(entries, keep_offsets=True, also=profiles).predictions) == size
    return statements


def test_a_batch_takes_as_many_statements_whatever_its_size(log: PredictionLog) -> None:
    profiles = ProfileWriter(partial(find_baseline, Path()))
    statements_of_a_batch(log, profiles, 10, first=1)  # makes the writer and the reference known
    sizes = {size: len(statements_of_a_batch(log, profiles, size, first=10 * size)) for size in (100, 1000)}
    assert max(sizes.values()) <= 9, sizes


def test_batches_of_all_sizes_are_logged_with_the_same_statements(log: PredictionLog) -> None:
    """A connection keeps the last 128, with what they were given: texts that grew with a batch cost 2 MB each."""
    profiles = ProfileWriter(partial(find_baseline, Path()))
    statements = [statements_of_a_batch(log, profiles, size, first=100 * size) for size in (10, 37, 98)]
    some, others, more = ({each for each in found if " predictions " in each} for found in statements)
    assert len(some) == 2
    assert some == others == more


def test_a_lookup_takes_one_statement_and_a_page_two_at_most(log: PredictionLog) -> None:
    statements_of_a_batch(log, ProfileWriter(partial(find_baseline, Path())), 500, first=1)
    some = log.page(1)[0].prediction.prediction_id
    looks = {
        "by id": (lambda: log.find(some), 1),
        "newest": (lambda: log.page(100), 1),
        "before": (lambda: log.page(100, before=some), 1),
        "by field": (lambda: log.page(100, any_field={"attacker": "pikachu", "defender": "pikachu"}), 2),
    }
    for name, (look, most) in looks.items():
        with counted_statements(log.engine) as statements:
            look()
        asked = [statement for statement in statements if not statement.startswith("BEGIN")]
        assert 1 <= len(asked) <= most, (name, asked)


class CountedOutbox(Outbox):
    """Knows how many events each commit had."""

    commits: list[int]

    def append(self, items: "list[tuple[str, bytes]]") -> int:  # type: ignore[override]
        self.commits.append(len(items))
        return super().append(items)


@contextmanager
def counted_commits(folder: Path) -> Iterator[tuple[OutboxRecorder, list[int]]]:
    commits: list[int] = []

    def open_outbox() -> Outbox:
        outbox = CountedOutbox(folder / "outbox-0.sqlite")
        outbox.commits = commits
        return outbox

    recorder = OutboxRecorder(open_outbox)
    yield recorder, commits
    recorder.close()


async def test_those_who_ask_together_share_a_commit(tmp_path: Path) -> None:
    predictions = list(renewed(duel_predictions(32), 32 * 50))
    with counted_commits(tmp_path) as (recorder, commits):
        for start in range(0, len(predictions), 32):
            await asyncio.gather(*(recorder.record(prediction) for prediction in predictions[start : start + 32]))
    assert sum(commits) == len(predictions)
    assert len(commits) <= 2 * 50


async def test_a_request_takes_one_commit_however_many_duels_it_asks_about(tmp_path: Path) -> None:
    requests = [body.decode() for body in bodies(load_dex(), 20)]
    with counted_commits(tmp_path) as (recorder, commits):
        app = create_app(Settings(data_dir=tmp_path, tablebase=False, _env_file=None), recorder=recorder)
        async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
            for path, sent in (("", requests[0]), ("/batch", f'{{"duels":[{",".join(requests)}]}}')):
                answer = await client.post(f"/predict/best-move{path}", content=sent)
                assert answer.status_code == 200
    assert commits == [1, len(requests)]
