"""Whether the prediction log is as this version makes it, told without Alembic: 11 MB that only changing it takes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from api_pokemon.monitoring.database import reading
from api_pokemon.monitoring.errors import LogMissingError
from api_pokemon.monitoring.log_schema import field_expression

SCRIPTS = Path(__file__).with_name("migrations")

_INDEXES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'predictions'",
    "postgresql": "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'predictions'",
}


def newest_revision() -> str:
    """That of the tables as this version has them: what the names of the scripts begin with counts up."""
    return max(path.name.partition("_")[0] for path in SCRIPTS.glob("versions/*.py"))


def indexes_of(looked_up: Sequence[str]) -> Mapping[str, str]:
    """By name, what the index of each request field that is looked up is made on."""
    return {f"predictions_by_request_{field}": field_expression(field) for field in looked_up}


def missing_indexes(connection: Connection, looked_up: Sequence[str]) -> Mapping[str, str]:
    """Those of :func:`indexes_of` that are not there."""
    if not looked_up:
        return {}
    present = set(connection.scalars(text(_INDEXES[connection.dialect.name])))
    return {name: expression for name, expression in indexes_of(looked_up).items() if name not in present}


def is_current(engine: Engine, looked_up: Sequence[str]) -> bool:
    """Whether nothing is to be made or changed.

    Raises
    ------
    LogUnavailableError
        If the database does not answer.
    """
    try:
        with reading(engine) as connection:
            revisions = connection.scalars(text("SELECT version_num FROM alembic_version")).all()
            return list(revisions) == [newest_revision()] and not missing_indexes(connection, looked_up)
    except LogMissingError:
        return False
