"""What the worker reads events from."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Entry(NamedTuple):
    """One event on its way to the log.

    Parameters
    ----------
    writer
        Identity of the outbox that accepted it, a UUID that outlives every process.
    sequence
        Its place there: 1, 2, 3, …
    body
        As :func:`~api_pokemon.monitoring.events.encode` wrote it.
    """

    writer: str
    sequence: int
    body: bytes


class OutboxState(NamedTuple):
    """What an outbox holds.

    Parameters
    ----------
    writer
        Its identity.
    last_sequence
        How many events it has ever accepted.
    pending
        How many of them are not known to be logged.
    oldest_seconds
        Unix time of the oldest of these, or None where there is none.
    bytes
        What it uses of its file, journal included; the file itself never shrinks.
    settled
        The sequence below the oldest of these: up to there, everything is logged.
    """

    writer: str
    last_sequence: int
    pending: int
    oldest_seconds: float | None
    bytes: int
    settled: int


class Stream(Protocol):
    """Gives each entry to a worker until the worker says that it is logged; possibly more than once."""

    keeps_offset: bool
    """Whether entries come in order, so that the log's own transaction keeps how far it has come. Such a stream is read
    from there; one that does not keeps track of what was delivered by itself."""

    def read(self, most: int, wait_seconds: float, offsets: Mapping[str, int]) -> Sequence[Entry]:
        """Return the next entries, as many as there are, or none once ``wait_seconds`` have passed without any.

        Parameters
        ----------
        most
            How many at most.
        offsets
            By writer, up to where the log holds everything; for streams with ``keeps_offset``.

        Raises
        ------
        StreamUnavailableError
            If it cannot be read just now.
        """
        ...

    def confirm(self, entries: Sequence[Entry]) -> None:
        """Take note that these are in the log for good.

        Raises
        ------
        StreamUnavailableError
            If that cannot be noted just now. The entries will come again, and the log knows them.
        """
        ...

    def outboxes(self) -> Sequence[OutboxState]:
        """Return what is known of each outbox whose entries come this way. May be called from another thread.

        Raises
        ------
        StreamUnavailableError
            If that cannot be told just now.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
