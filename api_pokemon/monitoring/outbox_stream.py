"""Reads the outboxes of a folder for a worker on the same machine."""

import logging
from collections import deque
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from api_pokemon.monitoring.errors import NotRecordedError, StreamUnavailableError
from api_pokemon.monitoring.outbox import Outbox
from api_pokemon.monitoring.outbox_folder import OutboxFolder
from api_pokemon.monitoring.outbox_rows import runs
from api_pokemon.monitoring.stream import Entry, OutboxState

logger = logging.getLogger(__name__)

_SALVAGE_SECONDS = 3.0


class OutboxStream:
    """The outboxes themselves as a :class:`~api_pokemon.monitoring.stream.Stream`; nothing lies between.

    An outbox is read from its oldest entry on, which is the first that is not known to be logged, and from then on
    after what was confirmed here. The offsets of the log are not used to pass entries over: where an outbox was put
    back from a backup they are ahead of it, and would hide what it has accepted since. What is read twice costs the
    log a look; it is little, since what is logged is soon removed.

    Parameters
    ----------
    folder
        The outboxes. Files that appear, or that are set aside, while this runs are noticed.
    poll_seconds
        How often to look for new entries while there are none.
    """

    keeps_offset = True

    def __init__(self, folder: OutboxFolder, *, poll_seconds: float = 0.03) -> None:
        self._folder = folder
        self._poll_seconds = poll_seconds
        self._sources: dict[Path, _Source] = {}
        self._turn = 0
        self._salvage_at = 0.0

    def read(self, most: int, wait_seconds: float, offsets: Mapping[str, int]) -> Sequence[Entry]:
        deadline = monotonic() + wait_seconds
        while True:
            entries = self._read(most, offsets)
            remaining = deadline - monotonic()
            if entries or remaining <= 0:
                return entries
            sleep(min(self._poll_seconds, remaining))

    def confirm(self, entries: Sequence[Entry]) -> None:
        """Remove what was logged of that which the last reading returned."""
        logged = {(entry.writer, entry.sequence) for entry in entries}
        failure: NotRecordedError | None = None
        for source in self._sources.values():
            try:
                source.confirm(logged)
            except NotRecordedError as error:
                failure = error
        if failure:
            raise StreamUnavailableError(str(failure)) from failure

    def outboxes(self) -> list[OutboxState]:
        return self._folder.states()

    def close(self) -> None:
        for source in self._sources.values():
            source.close()
        self._sources.clear()

    def _read(self, most: int, offsets: Mapping[str, int]) -> list[Entry]:
        """Take from every outbox in turn, beginning with another one each time, so that none is kept waiting."""
        if (now := monotonic()) >= self._salvage_at:
            self._salvage_at = now + _SALVAGE_SECONDS
            self._folder.salvage()
        paths = self._folder.paths()
        self._turn = (self._turn + 1) % max(1, len(paths))
        entries: list[Entry] = []
        failure: NotRecordedError | None = None
        for path in (*paths[self._turn :], *paths[: self._turn]):
            source = self._sources.setdefault(path, _Source(self._folder, path))
            try:
                entries += source.read(most - len(entries), offsets)
            except NotRecordedError as error:
                failure = error
        if failure and not entries:
            raise StreamUnavailableError(str(failure)) from failure
        return entries


class _Source:
    """One outbox, and how far it was read."""

    def __init__(self, folder: OutboxFolder, path: Path) -> None:
        self._folder = folder
        self._path = path
        self._outbox: Outbox | None = None
        self._openings = 0
        self._confirmed = 0
        self._given: list[Entry] = []
        self._to_remove: deque[range] = deque()

    def read(self, most: int, offsets: Mapping[str, int]) -> list[Entry]:
        self._given = []
        if self._outbox is None:
            self._outbox = self._folder.open(self._path)
        given = self._outbox.read(self._confirmed, most)
        if self._outbox.openings != self._openings:
            self._begin(self._outbox, offsets)
            given = self._outbox.read(0, most)
        with suppress(NotRecordedError):  # reading goes on meanwhile, and the next time tries again
            self._remove(self._outbox, wait=False)
        self._given = given
        return given

    def confirm(self, logged: Set[tuple[str, int]]) -> None:
        """Go on after these; what cannot be removed just now is removed by a later reading."""
        given, self._given = self._given, []
        sequences = [entry.sequence for entry in given if (entry.writer, entry.sequence) in logged]
        if sequences and self._outbox:
            self._confirmed = sequences[-1]
            self._to_remove.extend(range(first, last + 1) for first, last in runs(sequences))
            self._remove(self._outbox, wait=True)

    def close(self) -> None:
        if self._outbox:
            self._outbox.close()

    def _remove(self, outbox: Outbox, *, wait: bool) -> None:
        while self._to_remove:
            outbox.remove(self._to_remove[0], opening=self._openings, wait=wait)
            self._to_remove.popleft()

    def _begin(self, outbox: Outbox, offsets: Mapping[str, int]) -> None:
        """Another file is open than before: what is known of the one before does not hold."""
        self._openings = outbox.openings
        self._confirmed = 0
        self._to_remove.clear()
        last, logged = outbox.state().last_sequence, offsets.get(outbox.writer, 0)
        if logged > last:
            logger.warning(
                "%s has come to entry %d, and entry %d of it is logged: it was put back from a backup, or lost its "
                "journal. What it holds is logged all the same; the balance of events will not close.",
                self._path,
                last,
                logged,
            )
