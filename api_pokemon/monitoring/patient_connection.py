"""A connection to PostgreSQL that waits, but not forever."""

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

T = TypeVar("T")

PATIENCE_SECONDS = 12.0
"""Above the time that the server allows a statement: only a server that hangs takes longer to say that it is late."""


class PatientConnection(psycopg.Connection[Any]):
    """Closes itself where the server does not answer for long.

    A server that hangs (a stopped process, a disk that never returns) still acknowledges what its kernel receives, so
    no option of TCP notices it.
    """

    patience_seconds = PATIENCE_SECONDS

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Complete what was begun on the connection, as every call on it does."""
        try:
            return super().wait(gen, interval, self.patience_seconds if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if error.sqlstate is None and not self.closed:  # not the server's word: it said none
                self.pgconn.finish()
                raise psycopg.OperationalError("the server does not answer") from error
            raise
