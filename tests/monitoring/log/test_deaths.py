"""The prediction log while those who write it, or its database, die or hang."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import event, text

from api_pokemon.monitoring import LogUnavailableError
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.errors import LogMissingError
from api_pokemon.monitoring.prediction_log import PredictionLog, WriterCounts
from tests.monitoring.logged_events import WRITER, entries, id_at, logged_ids, prediction_at, rows_of
from tests.servers import PostgresServer, wait_until

ROOT = Path(__file__).parents[3]


def start_writer(url: str, start: int, batches: int, size: int) -> "subprocess.Popen[str]":
    numbers = [str(number) for number in (start, batches, size)]
    command = [sys.executable, "-m", "tests.monitoring.log_writer", url, *numbers]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


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
