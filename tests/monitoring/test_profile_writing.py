"""Profiles are kept with the log, on every database: as many rows, the same ones, whoever writes them and when."""

from collections.abc import Sequence
from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine, select, update

from api_pokemon.monitoring import Prediction
from api_pokemon.monitoring.database import connect, reading, writing
from api_pokemon.monitoring.drift_tables import (
    drift_references,
    profiles,
)
from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.monitoring.profile_recount import Recount
from api_pokemon.monitoring.profile_rows import prediction_batch
from api_pokemon.monitoring.profile_store import ProfileStore
from api_pokemon.monitoring.profile_table import UNIFORM, find_layout
from api_pokemon.monitoring.profile_writing import ProfileWriter
from api_pokemon.monitoring.profiles import profile_rows
from tests.monitoring.drift_log import log, write
from tests.monitoring.drifting import BASELINE, SPECS, baseline_of, predictions
from tests.monitoring.logged_events import OTHER_WRITER, START_SECONDS, WRITER, entries, prediction_at

LAYOUT = BASELINE.layout
__all__ = ["log"]

DAY = 86_400
ALWAYS = (0.0, 4e9)


@pytest.fixture
def store(log: PredictionLog) -> ProfileStore:
    return ProfileStore(log.engine)


@pytest.fixture
def recount(log: PredictionLog) -> Recount:
    return Recount(log.engine, baseline_of)


def profiles_of(engine: Engine) -> list[tuple[str, int, int, int]]:
    columns = (profiles.c.model_version, profiles.c.bucket_start, profiles.c.bucket_seconds, profiles.c.rows)
    with reading(engine) as connection:
        return sorted(tuple(row) for row in connection.execute(select(*columns)))


def differences(recount: Recount) -> list[tuple[str, int, int]]:
    found = [difference for stretch in recount.stretches() for difference in recount.compare(stretch)]
    return [(difference.model_version, difference.logged, difference.profiled) for difference in found]


def whole(made: Sequence[Prediction]) -> object:
    return profile_rows(LAYOUT, prediction_batch(SPECS, made))


def test_what_is_logged_is_profiled_minute_by_minute(log: PredictionLog, store: ProfileStore, recount: Recount) -> None:
    made = predictions(500, seed=1)
    write(log, made, ProfileWriter(baseline_of))
    start = int(START_SECONDS) // 60 * 60  # the first minute began 35 s before
    rows = [42, 100, 100, 100, 100, 58]
    assert profiles_of(log.engine) == [("v1", start + 60 * n, 60, count) for n, count in enumerate(rows)]
    assert store.window("v1", LAYOUT, *ALWAYS) == whole(made)
    assert store.window("v1", LAYOUT, start + 60, start + 180) == whole(made[42:242])
    assert differences(recount) == []


def test_what_comes_twice_counts_once_and_what_comes_late_counts(
    log: PredictionLog, store: ProfileStore, recount: Recount
) -> None:
    writer = ProfileWriter(baseline_of)
    early, late = predictions(200, seed=1), predictions(50, seed=2, first=-7200)
    write(log, early, writer)
    write(log, early, writer)
    write(log, late, writer, first=201)
    assert store.window("v1", LAYOUT, *ALWAYS) == whole([*early, *late])
    assert differences(recount) == []


def test_what_is_undone_leaves_no_profile(log: PredictionLog, store: ProfileStore) -> None:
    writer = ProfileWriter(baseline_of)

    def fails(connection: object, written: object) -> None:
        writer(connection, written)  # type: ignore[arg-type]
        raise RuntimeError("undone")

    made = predictions(10, seed=1)
    with pytest.raises(RuntimeError):
        log.write(entries(made), also=fails)
    assert (profiles_of(log.engine), store.layout("v1")) == ([], None)
    write(log, made, writer)
    assert store.window("v1", LAYOUT, *ALWAYS) == whole(made)


def test_several_workers_lose_nothing_and_do_not_wait_for_each_other(
    url: str, log: PredictionLog, store: ProfileStore, recount: Recount
) -> None:
    halves = [predictions(300, seed=seed, over_seconds=60) for seed in (1, 2)]
    together = Barrier(2)

    def work(made: Sequence[Prediction], writer_id: str) -> None:
        own = PredictionLog(connect(url))
        writer = ProfileWriter(baseline_of)
        together.wait()
        for begin in range(0, 300, 20):
            own.write(entries(made[begin : begin + 20], begin + 1, writer_id), also=writer)
        own.engine.dispose()

    workers = [Thread(target=work, args=args) for args in zip(halves, (WRITER, OTHER_WRITER), strict=True)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert store.window("v1", LAYOUT, *ALWAYS) == whole([*halves[0], *halves[1]])
    assert differences(recount) == []
    with reading(log.engine) as connection:
        assert connection.scalars(select(drift_references.c.kind)).all() == [UNIFORM]


def test_one_that_is_amid_a_transaction_keeps_no_other_from_its_own(
    request: pytest.FixtureRequest, postgres_url: str
) -> None:
    log, other = PredictionLog(connect(postgres_url)), PredictionLog(connect(postgres_url))
    log.migrate()
    first, second, third = (predictions(5, seed=seed) for seed in (1, 2, 3))
    write(log, first, ProfileWriter(baseline_of))
    writer, beside = ProfileWriter(baseline_of), ProfileWriter(baseline_of)

    def meanwhile(connection: object, written: object) -> None:
        writer(connection, written)  # type: ignore[arg-type]
        other.write(entries(third, 1, OTHER_WRITER), also=beside)

    log.write(entries(second, 6), also=meanwhile)
    assert ProfileStore(log.engine).window("v1", LAYOUT, *ALWAYS) == whole([*first, *second, *third])
    for used in (log, other):
        used.engine.dispose()


def test_what_is_wrong_is_found_and_repaired(log: PredictionLog, store: ProfileStore, recount: Recount) -> None:
    made = predictions(400, seed=1)
    write(log, made, ProfileWriter(baseline_of))
    (stretch, *_), start = list(recount.stretches()), int(START_SECONDS) // 60 * 60
    with writing(log.engine) as connection:
        layout = find_layout(connection, "v1")
        assert layout is not None
        other = select(profiles.c.body).where(profiles.c.bucket_start == start + 60).scalar_subquery()
        connection.execute(update(profiles).where(profiles.c.bucket_start == start + 120).values(body=other))
    (found,) = recount.compare(stretch)
    assert (found.logged, found.profiled, found.reason) == (400, 400, "other values were counted")
    assert recount.repair("v1", stretch)
    assert recount.compare(stretch) == []
    assert store.window("v1", LAYOUT, *ALWAYS) == whole(made)


def test_old_profiles_become_fewer_and_stay_the_same(log: PredictionLog, store: ProfileStore, recount: Recount) -> None:
    writer = ProfileWriter(baseline_of)
    long_ago, lately = (predictions(300, seed=3, first=first, over_seconds=7200) for first in (-70 * DAY, -3 * DAY))
    now = predictions(50, seed=4)
    write(log, long_ago, writer)
    write(log, lately, writer, first=301)
    write(log, now, writer, first=601)
    before = store.window("v1", LAYOUT, *ALWAYS)
    assert store.compact(START_SECONDS + 600) > 200
    assert sorted({seconds for _, _, seconds, _ in profiles_of(log.engine)}) == [60, 3600, DAY]
    assert store.compact(START_SECONDS + 600) == 0
    late = predictions(20, seed=5, first=-70 * DAY)
    write(log, late, writer, first=651)
    assert differences(recount) == []
    assert store.compact(START_SECONDS + 600) > 0
    assert differences(recount) == []
    assert before.rows + 20 == store.window("v1", LAYOUT, *ALWAYS).rows
    assert store.window("v1", LAYOUT, *ALWAYS) == whole([*long_ago, *lately, *now, *late])


def test_a_stretch_is_taken_in_whole_buckets(log: PredictionLog, store: ProfileStore) -> None:
    made = predictions(300, seed=1)
    write(log, made, ProfileWriter(baseline_of))
    start = int(START_SECONDS) // 60 * 60
    window = store.whole_buckets("v1", LAYOUT, start + 90.5, start + 130)
    assert (window.from_seconds, window.to_seconds) == (start + 60, start + 180)
    assert window.profile == whole([item for item in made if start + 60 <= item.made_at_seconds < start + 180])
    assert store.rows_by_version(*ALWAYS) == {"v1": 300}


def test_profiles_go_with_the_predictions_they_are_of(
    log: PredictionLog, store: ProfileStore, recount: Recount
) -> None:
    writer = ProfileWriter(baseline_of)
    write(log, predictions(120, seed=1, first=-10 * DAY, over_seconds=2 * 3600), writer)
    write(log, predictions(30, seed=2), writer, first=121)
    while log.remove_old(older_than_seconds=START_SECONDS - 10 * DAY + 3600, keep_at_most=None, batch=10):
        assert differences(recount) == []
    kept = profiles_of(log.engine)
    gone = START_SECONDS - 10 * DAY + 3540.001  # when the last one was made that went
    assert store.remove_old(START_SECONDS + 600, 20 * DAY) == 0  # checks look back that far
    assert store.remove_old(START_SECONDS + 600) == sum(start + 60 <= gone for _, start, _, _ in kept) == 59
    assert differences(recount) == []
    assert store.remove_old(START_SECONDS - 10 * DAY) == 0


def test_what_a_window_needs_outlives_the_log(log: PredictionLog, store: ProfileStore) -> None:
    write(log, predictions(100, seed=1), ProfileWriter(baseline_of))
    while log.remove_old(older_than_seconds=None, keep_at_most=10):
        pass
    assert store.remove_old(START_SECONDS + 600) == 0
    assert store.window("v1", LAYOUT, *ALWAYS).rows == 100


def test_rows_without_what_is_watched_are_profiled_as_missing(log: PredictionLog, store: ProfileStore) -> None:
    write(log, [prediction_at(0), prediction_at(1, request={"size": "large", "other": 1})], ProfileWriter(baseline_of))
    window = store.window("v1", LAYOUT, *ALWAYS)
    assert (window.rows, window.missing.tolist()) == (2, [2, 2, 2])


@pytest.mark.parametrize("length", [10, 60])
def test_buckets_are_as_long_as_is_said(log: PredictionLog, length: int) -> None:
    write(log, predictions(100, seed=1), ProfileWriter(baseline_of, bucket_seconds=length))
    assert {seconds for _, _, seconds, _ in profiles_of(log.engine)} == {length}
    assert all(start % length == 0 for _, start, _, _ in profiles_of(log.engine))


def test_many_versions_are_profiled_with_few_layouts_in_memory(log: PredictionLog, store: ProfileStore) -> None:
    writer = ProfileWriter(baseline_of)
    for number in range(2 * 20):
        version = f"v{number % 20}"
        write(log, predictions(3, seed=number, model_version=version), writer, first=1 + 3 * number)
    assert store.rows_by_version(*ALWAYS) == {f"v{number}": 6 for number in range(20)}
    assert len(writer._layouts) == 16
