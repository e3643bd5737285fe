"""The tables are made once, whoever comes first, and are those that the code knows."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, text

from api_pokemon.monitoring import job_table, log_schema
from api_pokemon.monitoring.database import connect, reading, writing
from api_pokemon.monitoring.errors import LogMissingError, LogTooNewError, LogUnavailableError
from api_pokemon.monitoring.file_lock import FileLock
from api_pokemon.monitoring.log_migration import LogMigration
from api_pokemon.monitoring.log_revision import SCRIPTS, newest_revision
from api_pokemon.monitoring.prediction_log import PredictionLog
from tests.monitoring.logged_events import entries, prediction_at

ROOT = Path(__file__).parents[2]


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = connect(url)
    yield engine
    engine.dispose()


def indexes(connection: Connection) -> set[str]:
    names = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
        "postgresql": "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'",
    }
    return {name for (name,) in connection.execute(text(names[connection.dialect.name]))}


def revisions(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return [revision for (revision,) in connection.execute(text("SELECT version_num FROM alembic_version"))]


def test_the_tables_are_those_that_the_code_knows(engine: Engine) -> None:
    assert job_table.jobs_table.metadata is log_schema.metadata
    LogMigration(engine).run()
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, log_schema.metadata) == []


def test_many_may_begin_at_once(url: str, engine: Engine) -> None:
    program = (
        "import sys; from api_pokemon.monitoring.database import connect;"
        "from api_pokemon.monitoring.prediction_log import PredictionLog;"
        "log = PredictionLog(connect(sys.argv[1]), looked_up=('attacker', 'defender'));"
        "sys.stdin.read(); log.migrate(); print(len(log.counts()))"
    )
    command = [sys.executable, "-c", program, url]
    started = [subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, stderr=-1, text=True) for _ in range(5)]
    for process in started:
        assert process.stdin
        process.stdin.close()
        process.stdin = None
    assert [process.communicate(timeout=120) for process in started] == [("0\n", "")] * 5
    assert len(revisions(engine)) == 1
    with reading(engine) as connection:
        assert {"predictions_by_request_attacker", "predictions_by_request_defender"} < indexes(connection)


def test_what_is_done_is_not_done_again_and_waits_for_nobody(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        LogMigration(engine, ["attacker"]).run()
        first = [record.message for record in caplog.records]
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO writers (writer) VALUES ('x')"))
            LogMigration(engine, ["attacker"]).run()
    assert first == [record.message for record in caplog.records]
    assert [record.name for record in caplog.records] == ["api_pokemon.monitoring.log_migration"] * len(first)
    assert first[-1] == "made the index predictions_by_request_attacker"


def test_another_field_gets_its_index_later(engine: Engine) -> None:
    PredictionLog(engine).migrate()
    PredictionLog(engine, looked_up=["attacker"]).migrate()
    with reading(engine) as connection:
        assert "predictions_by_request_attacker" in indexes(connection)


def test_a_log_of_a_newer_version_is_left_alone(engine: Engine) -> None:
    log = PredictionLog(engine)
    log.migrate()
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LogTooNewError, match=r"of revision 9999, this version knows 0\d+: update this service"):
        log.migrate()
    assert revisions(engine) == ["9999"]


def test_a_log_of_an_older_version_is_brought_forward_with_what_it_holds(engine: Engine) -> None:
    log = PredictionLog(engine)
    log.migrate()
    (head,) = revisions(engine)
    log.write(entries([prediction_at(0)]))
    with writing(engine) as connection:
        for table in log_schema.metadata.tables.keys() - {"writers", "predictions", "outcomes", "rejected"}:
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    log.migrate()
    assert revisions(engine) == [head] == [newest_revision()]
    assert len(list(log.scan())) == 1
    with reading(engine) as connection:
        assert connection.scalar(text("SELECT count(*) FROM jobs")) == 0
        assert connection.scalars(text("SELECT model_version FROM unprofiled")).all() == ["v1"]


def test_a_migration_that_fails_leaves_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise LogUnavailableError("not now")

    with monkeypatch.context() as patched:
        patched.setattr("api_pokemon.monitoring.log_migration.missing_indexes", fail)
        with pytest.raises(LogUnavailableError):
            LogMigration(engine, ["attacker"]).run()
    with pytest.raises(LogMissingError):
        PredictionLog(engine).counts()
    with pytest.raises(LogMissingError):
        revisions(engine)
    LogMigration(engine, ["attacker"]).run()
    assert PredictionLog(engine).counts() == {}


def test_whoever_makes_a_file_for_long_is_not_waited_for_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api_pokemon.monitoring.log_migration._LOCK_SECONDS", 0.05)
    lock = FileLock(tmp_path / "log.sqlite.lock")
    assert lock.try_acquire()
    engine = connect(f"sqlite:///{tmp_path}/log.sqlite")
    with pytest.raises(LogUnavailableError, match="another process has been making its tables for long"):
        LogMigration(engine).run()
    lock.release()
    LogMigration(engine).run()
    engine.dispose()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    engine = connect(f"sqlite:///{tmp_path}/file/log.sqlite")
    with pytest.raises(LogUnavailableError, match="Let this process write its folder"):
        LogMigration(engine).run()


def test_the_scripts_are_part_of_the_package() -> None:
    assert SCRIPTS.is_relative_to(ROOT / "api_pokemon")
    assert sorted(path.name for path in SCRIPTS.glob("versions/*.py"))[0] == "0001_log.py"
