"""What holds for the prediction log on every database."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Select, delete, event, func, select, text

from api_pokemon.monitoring import InvalidIdError, LogUnavailableError, Prediction
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.errors import LogMissingError
from api_pokemon.monitoring.log_queries import Wanted, ids_query, page_query
from api_pokemon.monitoring.log_schema import outcomes, predictions, rejected
from api_pokemon.monitoring.log_writing import Written
from api_pokemon.monitoring.prediction_log import LoggedPrediction, PredictionLog, WriterCounts
from api_pokemon.monitoring.stream import Entry
from tests.monitoring.logged_events import START_SECONDS, WRITER, entries, id_at, outcome_at, prediction_at
from tests.servers import PostgresServer, wait_until

ROOT = Path(__file__).parents[2]
LOOKED_UP = ("attacker", "defender")
OTHER_WRITER = "1c0ffee0-6f5a-4c3c-9d53-2f2a0c6c7b10"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/log.sqlite"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def empty(url: str) -> Iterator[PredictionLog]:
    """A log that nobody has made yet."""
    log = PredictionLog(connect(url), looked_up=LOOKED_UP)
    yield log
    log.engine.dispose()


@pytest.fixture
def log(empty: PredictionLog) -> PredictionLog:
    empty.migrate()
    return empty


def logged_ids(log: PredictionLog) -> list[str]:
    return [found.prediction.prediction_id for found in log.scan()]


def rows_of(log: PredictionLog, statement: Any) -> list[tuple[Any, ...]]:
    with log.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(statement)]


def start_writer(url: str, start: int, batches: int, size: int) -> "subprocess.Popen[str]":
    numbers = [str(number) for number in (start, batches, size)]
    command = [sys.executable, "-m", "tests.monitoring.log_writer", url, *numbers]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_prediction_comes_back_as_it_was(log: PredictionLog) -> None:
    made = prediction_at(
        0,
        model_version="2026-11-23-ü",
        probability=0.1 + 0.2,
        duration_seconds=1e-9,
        request={
            "attacker": "Flabébé 🌸",
            "größe": -(1 << 62),
            "share": 0.1,
            "true": True,
            "nothing": None,
            "one": 1.0,
        },
        choice={"quote'\"\\": "line\nend", "large": 1e300, "backslash": "\\u0000", "percent": "%s :x"},
        payload=bytes(range(256)),
    )
    log.write(entries([made]))
    assert log.find(made.prediction_id) == LoggedPrediction(made, None, None)
    found = log.find(made.prediction_id.upper())
    assert found
    assert [type(value) for value in found.prediction.request.values()] == [str, int, float, bool, type(None), float]


def test_nothing_is_found_where_nothing_is(log: PredictionLog) -> None:
    assert log.find(id_at(0)) is None
    assert log.page(10) == list(log.scan()) == []
    assert log.counts() == log.offsets() == {}
    assert log.count_through(WRITER, 10) == 0
    assert log.write([]) == ((), (), 0, 0)
    with pytest.raises(InvalidIdError):
        log.find("0190f5b6")


def test_an_event_is_logged_once_however_often_it_comes(log: PredictionLog) -> None:
    made = [prediction_at(second) for second in range(5)]
    reported = outcome_at(10, made[0], happened=True)
    given = entries([*made, reported])
    assert log.write(given[:3]) == (tuple(made[:3]), (), 0, 0)
    assert log.write([*given, given[4], given[5]]) == (tuple(made[3:]), (reported,), 5, 0)
    assert log.write(given) == ((), (), 6, 0)
    assert logged_ids(log) == [prediction.prediction_id for prediction in made]
    assert log.counts()[WRITER].logged == 6


def test_what_is_new_is_told_in_the_order_in_which_it_came(log: PredictionLog) -> None:
    made = [prediction_at(second) for second in (3, 1, 4, 1.5, 9, 2.6)]
    assert log.write(entries(made)).predictions == tuple(made)


def test_an_id_is_the_same_in_capitals(log: PredictionLog) -> None:
    made = prediction_at(0)
    in_capitals = Prediction(made.prediction_id.upper(), "v1", 0.7, 0.001)
    reported = outcome_at(1, in_capitals, happened=True)
    assert log.write(entries([made, in_capitals, reported])).duplicates == 1
    assert logged_ids(log) == [made.prediction_id]
    assert log.page(1)[0].happened is True


def test_offsets_are_kept_where_they_are_wanted_and_never_go_back(log: PredictionLog) -> None:
    given = entries([prediction_at(second) for second in range(10)])
    log.write(given[5:8])
    assert log.offsets() == {}
    log.write([*given[:5], Entry(OTHER_WRITER, (1 << 63) - 1, given[9].body)], keep_offsets=True)
    assert log.offsets() == {WRITER: 5, OTHER_WRITER: (1 << 63) - 1}
    log.write(given[2:4], keep_offsets=True)
    assert log.offsets()[WRITER] == 5


def test_what_joins_the_transaction_shares_its_fate(log: PredictionLog) -> None:
    given = entries([prediction_at(second) for second in range(3)])
    seen: list[Written] = []

    def change_then_fail(connection: Connection, written: Written) -> None:
        seen.append(written)
        connection.execute(delete(predictions).where(predictions.c.sequence == 2))
        if len(seen) == 2:
            raise LogUnavailableError("not now")

    log.write(given[:1], also=change_then_fail)
    with pytest.raises(LogUnavailableError, match="not now"):
        log.write(given, keep_offsets=True, also=change_then_fail)
    assert logged_ids(log) == [id_at(0)]
    assert log.offsets() == {}
    log.write(given, keep_offsets=True, also=change_then_fail)
    assert logged_ids(log) == [id_at(0), id_at(2)]
    assert [len(written.predictions) for written in seen] == [1, 2, 2]


def test_the_first_outcome_counts_whenever_it_is_logged(log: PredictionLog) -> None:
    made = prediction_at(0)
    second = outcome_at(20, made, happened=False)
    first = outcome_at(10, made, happened=True)
    log.write(entries([second], 7))
    log.write(entries([made]))
    assert log.page(1) == [LoggedPrediction(made, False, START_SECONDS + 20)]
    log.write(entries([first], 8))
    assert log.find(made.prediction_id) == LoggedPrediction(made, True, START_SECONDS + 10)
    assert list(log.scan()) == log.page(10) == [LoggedPrediction(made, True, START_SECONDS + 10)]
    assert log.counts()[WRITER].logged == 3


def test_what_is_no_event_is_kept_aside_and_stops_nothing(log: PredictionLog) -> None:
    made = prediction_at(0)
    strange = [b"no event", b'{"kind":"unheard-of","id":"' + id_at(1).encode() + b'"}', b"\xff\x00"]
    given = [*entries([made]), *(Entry(WRITER, sequence, body) for sequence, body in enumerate(strange, 2))]
    assert log.write(given, keep_offsets=True) == ((made,), (), 0, 3)
    assert log.write(given) == ((), (), 4, 0)
    kept = rows_of(log, select(rejected.c.sequence, rejected.c.body).order_by(rejected.c.sequence))
    assert kept == list(enumerate(strange, 2))
    assert all(reason for (reason,) in rows_of(log, select(rejected.c.reason)))
    assert log.counts()[WRITER] == WriterCounts(logged=4, removed=0, last_sequence=4)
    assert log.offsets() == {WRITER: 4}


def test_what_no_database_can_hold_is_kept_aside(log: PredictionLog) -> None:
    bad = [
        prediction_at(0, request={"attacker": "a\0b"}),
        prediction_at(1, choice={"\0": 1}),
        prediction_at(2, model_version="\0"),
    ]
    good = prediction_at(3, request={"attacker": "a\\u0000b"})
    astray = Entry(WRITER, 5, b'{"kind":"outcome","id":"%s","prediction_id":"x","happened":true}' % id_at(4).encode())
    assert log.write([*entries([*bad, good]), astray]) == ((good,), (), 0, 4)
    assert [found.prediction for found in log.scan()] == [good]


def test_what_this_database_refuses_is_kept_aside(postgres_url: str) -> None:
    engine = connect(postgres_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1'"))
    engine.dispose()
    latin = PredictionLog(connect(postgres_url.rpartition("/")[0] + "/latin"))
    latin.migrate()
    good, bad = prediction_at(0, request={"name": "é"}), prediction_at(1, request={"name": "ピカチュウ"})
    assert latin.write(entries([good, bad]), keep_offsets=True) == ((good,), (), 0, 1)
    assert latin.retry_rejected() == 0
    assert latin.counts()[WRITER].logged == 2
    latin.engine.dispose()
    engine = connect(postgres_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE latin WITH (FORCE)"))
    engine.dispose()


def test_a_text_too_long_for_an_index_is_kept_aside(postgres_url: str) -> None:
    log = PredictionLog(connect(postgres_url), looked_up=LOOKED_UP)
    log.migrate()
    incompressible = random.Random(1).randbytes(4000).hex()
    good, bad = prediction_at(0), prediction_at(1, request={"attacker": incompressible})
    assert log.write(entries([good, bad]), keep_offsets=True) == ((good,), (), 0, 1)
    assert log.retry_rejected() == 0
    ((reason,),) = rows_of(log, select(rejected.c.reason))
    assert "predictions_by_request_attacker" in reason
    log.engine.dispose()


def test_what_a_newer_version_understands_is_logged_later(log: PredictionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [prediction_at(second) for second in range(5)]
    given = [*entries([*made, outcome_at(9, made[0], happened=False)]), Entry(WRITER, 7, b"never an event")]
    with monkeypatch.context() as older:
        older.setattr("api_pokemon.monitoring.log_writing.read_entry", older_read_entry)
        assert log.write(given, keep_offsets=True).rejected == 7
    log.write(given[4:5])  # sent again, to a worker of the newer version
    assert log.counts()[WRITER].logged == 8
    seen: list[Written] = []
    assert log.retry_rejected(also=lambda connection, written: seen.append(written), batch=2) == 6
    assert sum(len(written.predictions) for written in seen) == 4
    assert logged_ids(log) == [id_at(second) for second in range(5)]
    assert log.page(1, before=id_at(1))[0].happened is False
    assert log.counts()[WRITER].logged == 7
    assert log.retry_rejected() == 0


def older_read_entry(entry: Entry) -> Any:
    from api_pokemon.monitoring.log_rows import reject

    return reject(entry, "a kind that is not known")


def test_sequences_may_come_again_with_other_events(log: PredictionLog) -> None:
    """As from an outbox that was put back from a backup."""
    before = [*entries([prediction_at(second) for second in range(4)]), Entry(WRITER, 5, b"one")]
    after = [*entries([prediction_at(second) for second in range(10, 14)]), Entry(WRITER, 5, b"another")]
    log.write(before, keep_offsets=True)
    assert log.write(after, keep_offsets=True).duplicates == 0
    assert log.counts()[WRITER] == WriterCounts(logged=10, removed=0, last_sequence=5)
    assert log.count_through(WRITER, 2) == 4


def test_pages_go_back_in_time_and_miss_nothing(log: PredictionLog) -> None:
    order = list(range(23))
    random.Random(5).shuffle(order)
    log.write(entries([prediction_at(second // 2, second) for second in order]))
    ids = [id_at(second // 2, second) for second in range(23)]
    found: list[str] = []
    while page := log.page(5, before=found[-1] if found else None):
        found += [logged.prediction.prediction_id for logged in page]
        assert len(page) == 5 or len(found) == 23
    assert found == ids[::-1]
    assert logged_ids(log) == [found.prediction.prediction_id for found in log.scan(batch=4)] == ids


def test_times_are_bounds_of_which_the_first_belongs_to_it(log: PredictionLog) -> None:
    log.write(entries([prediction_at(milliseconds / 1000) for milliseconds in range(10)]))
    assert seconds_of(log, since_seconds=START_SECONDS + 0.003, until_seconds=START_SECONDS + 0.006) == [3, 4, 5]
    assert seconds_of(log, since_seconds=START_SECONDS + 0.0071) == [8, 9]
    assert seconds_of(log, until_seconds=START_SECONDS + 0.0011) == [0, 1]
    assert seconds_of(log, since_seconds=-1e300, until_seconds=1e300) == list(range(10))
    assert seconds_of(log, since_seconds=float("inf")) == []
    assert seconds_of(log, until_seconds=float("-inf")) == []


def seconds_of(log: PredictionLog, **bounds: float) -> list[int]:
    """Milliseconds after the start, by page and by scan."""
    scanned = [found.prediction for found in log.scan(**bounds, batch=2)]
    assert scanned == [found.prediction for found in log.page(100, **bounds)][::-1]
    return [round((made.made_at_seconds - START_SECONDS) * 1000) for made in scanned]


def test_pages_of_a_version_and_of_fields(log: PredictionLog) -> None:
    names = ["abra", "élan", "zubat"]
    made = [
        prediction_at(
            second,
            model_version=f"v{second % 2}",
            request={"attacker": names[second % 3], "defender": names[second // 3 % 3]},
        )
        for second in range(36)
    ]
    log.write(entries(made))

    def expected(most: int, version: str, **fields: str) -> list[Prediction]:
        fits = [p for p in made if p.model_version == version and any(p.request[f] == fields[f] for f in fields)]
        return fits[::-1][:most]

    def found(most: int, version: str, **fields: str) -> list[Prediction]:
        return [logged.prediction for logged in log.page(most, model_version=version, any_field=fields)]

    for fields in (
        {"attacker": "élan"},
        {"attacker": "abra", "defender": "abra"},
        {"attacker": "x", "defender": "zubat"},
    ):
        assert found(7, "v1", **fields) == expected(7, "v1", **fields)
        assert len(found(100, "v0", **fields)) == len(expected(100, "v0", **fields))
    assert log.page(100, any_field={"attacker": "élan' OR 1=1 --"}) == []
    assert log.page(100, model_version="v2") == []
    page = log.page(3, any_field={"attacker": "abra"}, before=id_at(30), since_seconds=START_SECONDS + 25)
    assert [logged.prediction for logged in page] == [made[27]]


def test_what_cannot_be_looked_up_is_refused(log: PredictionLog) -> None:
    with pytest.raises(ValueError, match="'speed' is not looked up: one of attacker, defender is wanted"):
        log.page(1, any_field={"speed": "1"})
    with pytest.raises(InvalidIdError):
        log.page(1, before="0")
    with pytest.raises(ValueError, match="cannot be looked up: a name of lower-case letters"):
        PredictionLog(log.engine, looked_up=["x' --"]).migrate()


def test_look_ups_are_served_by_indexes(log: PredictionLog) -> None:
    """So that they cost the same however much there is."""
    randomly = random.Random(3)
    names = [f"form-{number}" for number in range(500)]
    for start in range(0, 5000, 1000):
        log.write(
            entries(
                [
                    prediction_at(
                        second,
                        model_version="rare" if second % 1000 == 0 else "v1",
                        request={"attacker": randomly.choice(names), "defender": randomly.choice(names)},
                    )
                    for second in range(start, start + 1000)
                ],
                start + 1,
            )
        )
    with log.engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    either = Wanted(any_field={"attacker": "form-1", "defender": "form-1"}, before=id_at(4000))
    plan = plan_of(log.engine, ids_query(20, either))
    assert "predictions_by_request_attacker" in plan
    assert "predictions_by_request_defender" in plan
    assert "predictions_by_version" in plan_of(log.engine, page_query(20, Wanted(model_version="rare")))
    for wanted in (Wanted(), Wanted(before=id_at(9)), Wanted(since_seconds=START_SECONDS + 9), Wanted(id_at(1))):
        plan_of(log.engine, page_query(20, wanted))
        plan_of(log.engine, page_query(20, wanted, oldest_first=True))


def plan_of(engine: Engine, query: Select[Any]) -> str:
    """How the database means to answer; it must not read the whole table."""
    compiled = query.compile(engine, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"{explain} {compiled}").all()
    plan = "\n".join(str(row[-1]) for row in rows)
    assert "Seq Scan on predictions" not in plan
    assert not any(row[-1] == "SCAN predictions" for row in rows), plan
    return plan


def test_rows_are_counted_by_writer(log: PredictionLog) -> None:
    made = [prediction_at(second) for second in range(6)]
    large = (1 << 63) - 1
    log.write(entries(made[:4]))
    log.write([Entry(OTHER_WRITER, large, entries(made[4:5])[0].body), Entry(OTHER_WRITER, 3, b"no event")])
    log.write(entries([outcome_at(9, made[0], happened=True)], 9))
    assert log.counts() == {WRITER: WriterCounts(5, 0, 9), OTHER_WRITER: WriterCounts(2, 0, large)}
    assert [log.count_through(WRITER, sequence) for sequence in (0, 1, 4, 8, 9, large)] == [0, 1, 4, 4, 5, 5]
    assert [log.count_through(OTHER_WRITER, sequence) for sequence in (2, 3, large - 1, large)] == [0, 1, 1, 2]


def remove_all(log: PredictionLog, **bounds: Any) -> int:
    number = 0
    while removed := log.remove_old(**({"older_than_seconds": None, "keep_at_most": None} | bounds)):
        number += removed
    return number


def test_what_is_too_old_goes_with_its_outcomes_and_stays_counted(log: PredictionLog) -> None:
    made = [prediction_at(second) for second in range(30)]
    log.write(entries([*made, *(outcome_at(90 + n, made[n // 2], happened=True) for n in range(40))]))
    log.write([Entry(OTHER_WRITER, 7, entries([prediction_at(5.5)])[0].body)])
    assert remove_all(log, older_than_seconds=START_SECONDS + 10, batch=3) == 10 + 20 + 1
    assert logged_ids(log) == [id_at(second) for second in range(10, 30)]
    assert all(logged.happened is (True if n < 10 else None) for n, logged in enumerate(log.scan()))
    assert log.counts() == {WRITER: WriterCounts(40, 30, 70), OTHER_WRITER: WriterCounts(0, 1, 7)}
    assert log.count_through(WRITER, 70) == 70
    assert log.count_through(OTHER_WRITER, 7) == 1


def test_the_oldest_go_where_there_are_too_many(log: PredictionLog) -> None:
    order = list(range(20))
    random.Random(2).shuffle(order)
    log.write(entries([prediction_at(second) for second in order]))
    assert log.remove_old(older_than_seconds=None, keep_at_most=20) == 0
    assert log.remove_old(older_than_seconds=None, keep_at_most=12, batch=5) == 5
    log.write(entries([prediction_at(30)], 30))
    assert remove_all(log, keep_at_most=12, batch=5) == 3
    assert remove_all(log, keep_at_most=12) == 1
    assert remove_all(log, keep_at_most=100) == 0
    assert logged_ids(log) == [id_at(second) for second in (*range(9, 20), 30)]
    assert remove_all(log, keep_at_most=10, older_than_seconds=START_SECONDS + 15) == 6
    assert log.counts()[WRITER] == WriterCounts(logged=6, removed=15, last_sequence=30)


def test_a_batch_of_removals_takes_no_outcome_from_what_stays(log: PredictionLog) -> None:
    made = [prediction_at(second) for second in range(4)]
    log.write(entries([*made, *(outcome_at(10, made[n], happened=True, number=n) for n in (1, 2, 3))]))
    log.remove_old(older_than_seconds=START_SECONDS + 3, keep_at_most=None, batch=2)
    assert [(logged.prediction, logged.happened) for logged in log.scan()] == [(made[2], True), (made[3], True)]


def test_outcomes_without_a_prediction_and_what_was_set_aside_go_too(log: PredictionLog) -> None:
    log.write([*entries([outcome_at(50, prediction_at(1), happened=True)]), Entry(WRITER, 2, b"no event")])
    assert remove_all(log, older_than_seconds=START_SECONDS + 1) == 0
    assert remove_all(log, older_than_seconds=START_SECONDS + 2) == 1
    assert remove_all(log, older_than_seconds=4e9) == 1
    assert [rows_of(log, select(func.count()).select_from(table)) for table in (outcomes, rejected)] == [[(0,)]] * 2
    assert log.counts()[WRITER] == WriterCounts(logged=0, removed=2, last_sequence=2)


def test_two_who_remove_the_same_count_it_once(url: str, log: PredictionLog) -> None:
    log.write(entries([prediction_at(second) for second in range(20)]))
    other = PredictionLog(connect(url))
    removed = 0
    while batch := sum(one.remove_old(older_than_seconds=None, keep_at_most=8, batch=2) for one in (log, other)):
        removed += batch
    other.engine.dispose()
    assert removed == 12
    assert log.counts()[WRITER] == WriterCounts(logged=8, removed=12, last_sequence=20)


def test_workers_that_write_the_same_events_at_once_log_each_once(url: str, log: PredictionLog) -> None:
    """And make the log together before."""
    writers = [start_writer(url, start, 8, 100) for start in (0, 0, 2)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    for writer in writers:
        writer.communicate()
    assert logged_ids(log) == [id_at(batch, number) for batch in range(10) for number in range(100)]
    assert log.counts() == {WRITER: WriterCounts(logged=10 * 200, removed=0, last_sequence=10 * 200)}
    assert log.offsets() == {WRITER: 10 * 200}
    assert all(logged.happened for logged in log.scan())


def test_a_worker_killed_while_it_writes_leaves_whole_batches(url: str, log: PredictionLog) -> None:
    randomly = random.Random(11)
    said = -1
    for _ in range(6):
        writer = start_writer(url, max(said, 0), 10_000, 20)
        assert writer.stdout
        for _ in range(randomly.randrange(1, 12)):
            said = max(said, int(writer.stdout.readline()))
        writer.kill()
        writer.communicate()
        assert len(logged_ids(log)) % 20 == 0
    wait_until(lambda: others_connected(log) == 0, "the server has noticed the last one's end")
    logged = log.counts()[WRITER].logged
    assert logged % 40 == 0
    assert logged >= 40 * (said + 1)
    assert log.offsets() == {WRITER: logged}
    assert logged_ids(log) == [id_at(batch, number) for batch in range(logged // 40) for number in range(20)]


def others_connected(log: PredictionLog) -> int:
    if log.engine.dialect.name == "sqlite":
        return 0
    theirs = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return int(rows_of(log, text(f"SELECT count(*) {theirs} AND state <> 'idle'"))[0][0])


def test_a_log_that_nobody_has_made_is_told_from_one_that_is_away(empty: PredictionLog) -> None:
    attempts = [
        lambda: empty.find(id_at(0)),
        lambda: empty.page(1),
        lambda: list(empty.scan()),
        empty.offsets,
        empty.counts,
        lambda: empty.count_through(WRITER, 1),
        lambda: empty.write(entries([prediction_at(0)])),
        lambda: empty.remove_old(older_than_seconds=1.0, keep_at_most=1),
        empty.retry_rejected,
    ]
    for attempt in attempts:
        with pytest.raises(LogMissingError, match="It holds no prediction log yet; a worker makes it"):
            attempt()
    if empty.engine.dialect.name == "sqlite":
        assert not Path(empty.engine.url.database or "").exists()
    empty.migrate()
    assert empty.find(id_at(0)) is None


def test_postgres_may_die_and_come_back(postgres_server: PostgresServer) -> None:
    log = PredictionLog(connect(postgres_server.url))
    log.migrate()
    made = [prediction_at(second) for second in range(3)]
    log.write(entries(made[:1]))
    postgres_server.kill()
    with pytest.raises(LogUnavailableError):
        log.write(entries(made[1:2], 2))
    postgres_server.start()
    log.write(entries(made[1:2], 2))
    postgres_server.kill()
    postgres_server.start()
    assert log.find(made[1].prediction_id)
    log.write(entries(made, 1))
    assert [logged.prediction for logged in log.scan()] == made
    log.engine.dispose()


def test_a_postgres_that_hangs_is_given_up(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_pokemon.monitoring.patient_connection.PatientConnection.patience_seconds", 0.5)
    log = PredictionLog(connect(postgres_server.url))
    log.migrate()
    made = [prediction_at(second) for second in range(3)]
    log.write(entries(made[:1]))
    postgres_server.pause()
    with pytest.raises(LogUnavailableError):
        log.write(entries(made[1:2], 2))

    def pause(*_: object) -> None:
        postgres_server.pause()

    postgres_server.resume()
    for moment in ("before_cursor_execute", "commit"):
        event.listen(log.engine, moment, pause, once=True)
        with pytest.raises(LogUnavailableError, match="the server does not answer"):
            log.write(entries(made, 1), keep_offsets=True)
        postgres_server.resume()
    log.write(entries(made, 1), keep_offsets=True)
    assert [logged.prediction for logged in log.scan()] == made
    assert log.offsets() == {WRITER: 3}
    log.engine.dispose()
