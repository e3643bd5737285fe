"""What keeps a database from answering is told in one way, without its password; and readers never wait."""

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import Connection, Engine, exc, text

from api_pokemon.monitoring import LogUnavailableError
from api_pokemon.monitoring import database as database_module
from api_pokemon.monitoring.database import connect, reading, writing
from api_pokemon.monitoring.errors import LogMissingError
from api_pokemon.monitoring.patience import patience
from api_pokemon.monitoring.prediction_log import PredictionLog
from tests.monitoring.disks import small_disk
from tests.monitoring.logged_events import WRITER, entries, id_at, prediction_at
from tests.servers import PostgresServer, free_port


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log #1%20?.sqlite"


@pytest.fixture
def log(path: Path) -> Iterator[PredictionLog]:
    log = PredictionLog(connect(f"sqlite:///{str(path).replace('%', '%25').replace('?', '%3F')}"))
    log.migrate()
    yield log
    log.engine.dispose()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://shop:s3cret@database/log",
        "postgres://shop:s3cret@database/log",
        "postgresql+psycopg://shop:s3cret@database:5433/log?sslmode=require",
    ],
)
def test_postgres_is_reached_with_the_one_driver_there_is(url: str) -> None:
    engine = connect(url)
    assert (engine.dialect.name, engine.dialect.driver) == ("postgresql", "psycopg")
    assert "s3cret" in engine.url.render_as_string(hide_password=False)


def test_whoever_comes_alone_has_the_connection_of_who_came_before(log: PredictionLog) -> None:
    """And what this one has read already: in turns, each would come to hold the same pages."""
    with reading(log.engine), reading(log.engine), reading(log.engine):
        pass
    seen = set()
    for _ in range(6):
        with reading(log.engine) as connection:
            seen.add(connection.connection.driver_connection)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "cannot be read"),
        ("no url, but s3cret", "cannot be read"),
        ("mysql://shop:s3cret@database/log", "A log cannot be in 'mysql'"),
        ("postgresql+psycopg2://shop:s3cret@database/log", "A log cannot be in 'postgresql\\+psycopg2'"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:///log.sqlite?mode=memory", "needs a file, and no options"),
    ],
)
def test_what_cannot_hold_a_log_is_refused_at_once(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refusal:
        connect(url)
    assert "s3cret" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_a_relative_path_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    log = PredictionLog(connect("sqlite:///deep/log.sqlite"))
    monkeypatch.chdir("/")
    log.migrate()
    log.engine.dispose()
    assert (tmp_path / "deep/log.sqlite").exists()


def test_no_message_tells_the_password() -> None:
    log = PredictionLog(connect(f"postgresql://shop:s3cret@127.0.0.1:{free_port()}/log?password=s3cret2"))
    with pytest.raises(LogUnavailableError, match=r"shop:\*\*\*@127.0.0.1.*[Cc]onnection") as failure:
        log.offsets()
    assert "s3cret" not in f"{failure.value} {failure.value.__cause__}"


def test_a_database_that_does_not_exist_is_named(postgres_url: str) -> None:
    log = PredictionLog(connect(f"{postgres_url}_not"))
    with pytest.raises(LogUnavailableError, match=r'database "test_\d+_not" does not exist'):
        log.migrate()
    log.engine.dispose()


def test_mistakes_of_ours_are_not_taken_for_an_outage(log: PredictionLog, postgres_url: str) -> None:
    for engine in (log.engine, connect(postgres_url)):
        with pytest.raises(exc.DBAPIError), reading(engine) as connection:
            connection.execute(text("SELEC 1"))
        engine.dispose()


def test_readers_do_not_wait_for_a_writer_nor_see_what_is_not_committed(log: PredictionLog) -> None:
    log.write(entries([prediction_at(0)]))
    with writing(log.engine) as connection:
        connection.execute(text("DELETE FROM predictions"))
        assert log.find(id_at(0))
    assert log.find(id_at(0)) is None


def test_a_writer_that_holds_on_is_given_up(log: PredictionLog, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        log.engine.dispose()
        with pytest.raises(LogUnavailableError, match=r"database is locked\. Another process holds it"):
            log.write(entries([prediction_at(0)]))
        assert list(log.scan()) == []
        other.execute("ROLLBACK")
    log.write(entries([prediction_at(0)]))
    assert log.find(id_at(0))


def test_writers_wait_for_each_other(log: PredictionLog) -> None:
    """Also those that read first: the lock is taken before."""
    entered = Event()

    def write_late() -> None:
        entered.set()
        log.write(entries([prediction_at(1)]))

    thread = Thread(target=write_late)
    with writing(log.engine) as connection:
        assert connection.scalar(text("SELECT count(*) FROM predictions")) == 0
        thread.start()
        assert entered.wait(20)
        connection.execute(text("INSERT INTO writers (writer) VALUES ('x')"))
    thread.join(20)
    assert log.find(id_at(1))


def test_a_full_disk_is_told_and_overcome(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4 << 20) as disk:
        log = PredictionLog(connect(f"sqlite:///{disk.folder}/log.sqlite"))
        log.migrate()
        log.write(entries([prediction_at(0)]), keep_offsets=True)
        filler = disk.fill()
        many = entries([prediction_at(second, payload=bytes(1000)) for second in range(1, 2000)], 2)
        with pytest.raises(LogUnavailableError, match="space on its disk"):
            log.write(many, keep_offsets=True)
        assert len(list(log.scan())) == 1
        assert log.offsets() == {WRITER: 1}
        filler.unlink()
        log.write(many[:100], keep_offsets=True)
        assert log.offsets() == {WRITER: 101}
        log.engine.dispose()


def test_a_disk_that_turned_read_only_is_told_and_overcome(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4 << 20) as disk:
        log = PredictionLog(connect(f"sqlite:///{disk.folder}/log.sqlite"))
        log.migrate()
        log.write(entries([prediction_at(0)]))
        log.engine.dispose()
        disk.make_read_only()
        with pytest.raises(LogUnavailableError, match="Let this process write it and its folder"):
            log.write(entries([prediction_at(1)]))
        disk.make_writable()
        log.write(entries([prediction_at(1)]))
        assert len(list(log.scan())) == 2
        log.engine.dispose()


def test_a_damaged_file_is_told_and_left_alone(log: PredictionLog, path: Path) -> None:
    log.write(entries([prediction_at(0)]))
    log.engine.dispose()
    damaged = b"damaged" * 1000
    path.write_bytes(damaged)
    for attempt in (log.migrate, log.offsets, lambda: log.write(entries([prediction_at(1)]))):
        with pytest.raises(LogUnavailableError, match="not a database"):
            attempt()
    assert path.read_bytes() == damaged


def test_a_file_that_is_taken_away_is_not_written_any_more(log: PredictionLog, path: Path) -> None:
    """What is open has still the old one, whose name is gone; what is written there would be lost."""
    log.write(entries([prediction_at(0)]))
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(LogMissingError):
        log.write(entries([prediction_at(1)]))
    log.migrate()
    log.write(entries([prediction_at(2)]))
    assert [found.prediction for found in log.scan()] == [prediction_at(2)]


def test_a_file_that_is_replaced_is_noticed(log: PredictionLog, path: Path, tmp_path: Path) -> None:
    log.write(entries([prediction_at(0)]))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(tmp_path / "backup"),))
    log.write(entries([prediction_at(1)], 2))
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink()
    shutil.move(tmp_path / "backup", path)
    assert [found.prediction for found in log.scan()] == [prediction_at(0)]
    log.migrate()
    log.write(entries([prediction_at(2)], 2))
    assert len(list(log.scan())) == 2


@pytest.mark.parametrize(("synchronous", "number"), [("normal", 1), ("full", 2)])
def test_how_much_a_file_survives_is_a_choice(
    path: Path, synchronous: database_module.Synchronous, number: int
) -> None:
    log = PredictionLog(connect(f"sqlite:///{path.parent}/log", synchronous=synchronous))
    log.migrate()
    with reading(log.engine) as connection:
        assert connection.scalar(text("PRAGMA synchronous")) == number
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
    log.engine.dispose()


def test_postgres_gives_up_what_takes_too_long(postgres_url: str) -> None:
    engine = connect(postgres_url)
    late = text("SELECT set_config('statement_timeout', '50', true); SELECT pg_sleep(60)")
    with pytest.raises(LogUnavailableError, match="statement timeout"), writing(engine) as connection:
        connection.execute(late)
    with writing(engine) as connection:
        with patience(connection, 77):
            assert connection.scalar(text("SHOW statement_timeout")) == "77s"
        assert connection.scalar(text("SELECT 1")) == 1
    assert settings_of(engine) == ["10s", "5s", "30s"]
    engine.dispose()


def settings_of(engine: Engine) -> list[str]:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    with reading(engine) as connection:
        return [str(connection.scalar(text(f"SHOW {name}"))) for name in names]


def test_a_statement_may_be_given_more_time(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = connect(postgres_url)

    def late(connection: Connection) -> object:
        with monkeypatch.context() as impatient:  # for this alone: to connect may take long
            impatient.setattr("api_pokemon.monitoring.patient_connection.PatientConnection.patience_seconds", 0.2)
            return connection.scalar(text("SELECT 7 FROM pg_sleep(0.5)"))

    with reading(engine) as connection, patience(connection, 20):
        assert late(connection) == 7
    with pytest.raises(LogUnavailableError, match="does not answer"), reading(engine) as connection:
        late(connection)
    with reading(engine) as connection:
        assert connection.scalar(text("SELECT 7")) == 7
    engine.dispose()


def test_a_server_that_was_started_again_is_used_at_once(postgres_server: PostgresServer) -> None:
    engine = connect(postgres_server.url)
    with reading(engine) as one, reading(engine) as another:
        assert one.scalar(text("SELECT 1")) == another.scalar(text("SELECT 1"))
    postgres_server.stop()
    postgres_server.start()
    for _ in range(2):
        with reading(engine) as connection:
            assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()


def test_too_many_at_once_are_told_so(log: PredictionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log.engine.pool, "_timeout", 0.01)
    monkeypatch.setattr(log.engine.pool, "_max_overflow", 0)
    open_connections = [log.engine.connect() for _ in range(5)]
    with pytest.raises(LogUnavailableError, match="all connections are in use"):
        log.offsets()
    for connection in open_connections:
        connection.close()


def test_nothing_that_was_asked_is_in_a_message(log: PredictionLog, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(exc.DBAPIError) as failure,
        reading(log.engine) as connection,
    ):
        connection.execute(text("SELECT nothing(:secret)"), {"secret": "s3cret"})
    assert "s3cret" not in str(failure.value) + caplog.text
