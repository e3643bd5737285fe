"""More time for work in PostgreSQL that is known to be long."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from sqlalchemy import Connection, text

if TYPE_CHECKING:
    from api_pokemon.monitoring.patient_connection import PatientConnection

_MARGIN_SECONDS = 2.0


@contextmanager
def patience(connection: Connection, seconds: float) -> Iterator[None]:
    """Let the rest of a transaction take longer than usual, for work that is known to be long."""
    if connection.dialect.name != "postgresql":
        yield
        return
    connection.execute(text(f"SET LOCAL statement_timeout = {round(seconds * 1000)}"))
    driver_connection = cast("PatientConnection", connection.connection.driver_connection)
    driver_connection.patience_seconds = seconds + _MARGIN_SECONDS
    try:
        yield
    finally:
        del driver_connection.patience_seconds
