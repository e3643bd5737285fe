"""Makes up for what was logged without a profile, in pieces: what one run has done, the next one need not do again."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from time import monotonic
from typing import NamedTuple

from sqlalchemy import ColumnElement, Engine, delete, func, select, update

from api_pokemon.monitoring.database import reading, writing
from api_pokemon.monitoring.drift_tables import profiles, unprofiled
from api_pokemon.monitoring.patience import patience
from api_pokemon.monitoring.profile_recount import HOUR_SECONDS, Recount, count_logged, horizon, inside
from api_pokemon.monitoring.profile_table import Bucket, bucket_at, write_alone

_COUNTING_SECONDS = 120.0


class CaughtUp(NamedTuple):
    """How far it came.

    Parameters
    ----------
    caught_up
        The model versions that have all their profiles now.
    to_be_continued
        Those for which time ran out, and the next run goes on.
    """

    caught_up: list[str]
    to_be_continued: list[str]


class CatchUp:
    """Recounts the log for the model versions that are noted as unprofiled, from where rows without a profile begin.

    Parameters
    ----------
    engine
        The log's database.
    recount
        Of the same database.
    """

    def __init__(self, engine: Engine, recount: Recount) -> None:
        self._engine = engine
        self._recount = recount

    def run(self, seconds: float, progress: Callable[[str], None] = lambda text: None) -> CaughtUp:
        """Go on for that long, and to the end of the hour of predictions that is then in hand.

        Where rows came late to a day whose profiles were joined, 60 days ago or more, it is taken apart, and has no
        profiles but of the hours that are done until all are. Versions whose baseline is not here stay noted. Raises
        `LogUnavailableError` where the database does not answer.
        """
        deadline = monotonic() + seconds
        found = CaughtUp([], [])
        for version, (begin, notes) in sorted(self._noted().items()):
            if self._recount.layout(version) is None:
                continue
            is_done = self._make_up(version, begin, notes, deadline, progress)
            (found.caught_up if is_done else found.to_be_continued).append(version)
        return found

    def _noted(self) -> dict[str, tuple[float, list[str]]]:
        """By model version, from when on rows may lack a profile, and the notes that say so."""
        columns = (unprofiled.c.model_version, unprofiled.c.from_seconds, unprofiled.c.noted)
        found: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
        with reading(self._engine) as connection:
            for version, from_seconds, noted in connection.execute(select(*columns)):
                found[version].append((from_seconds, noted))
        return {version: (min(notes)[0], [noted for _, noted in notes]) for version, notes in found.items()}

    def _make_up(
        self, version: str, begin: float, notes: list[str], deadline: float, progress: Callable[[str], None]
    ) -> bool:
        """Whether it came to the end."""
        same = (unprofiled.c.model_version == version) & unprofiled.c.noted.in_(notes)  # and not noted again meanwhile
        for stretch, is_whole in self._stretches(version, begin):
            difference = None if is_whole else self._recount.compare_version(version, stretch)
            if difference is not None:
                progress(f"{version}: {difference.logged} rows of an hour")
                self._recount.repair(version, stretch)
            self._note(same, stretch.start + stretch.seconds)
            if monotonic() >= deadline:
                return False
        with writing(self._engine) as connection:
            connection.execute(delete(unprofiled).where(same))
        return True

    def _stretches(self, version: str, begin: float) -> Iterator[tuple[Bucket, bool]]:
        """Hours whose rows may lack a profile, and joined days that are known to be whole."""
        for stretch in self._recount.stretches(begin):
            if stretch.seconds <= HOUR_SECONDS:
                yield stretch, False
                continue
            first = max(bucket_at(begin, HOUR_SECONDS).start, stretch.start)
            if self._is_joined(version, stretch):
                if not self._take_apart(version, stretch):
                    yield stretch, True
                    continue
                first = stretch.start
            for start in range(first, stretch.start + stretch.seconds, HOUR_SECONDS):
                yield Bucket(start, HOUR_SECONDS), False

    def _is_joined(self, version: str, day: Bucket) -> bool:
        with reading(self._engine) as connection:
            longest = connection.scalar(select(func.max(profiles.c.bucket_seconds)).where(*inside(version, day)))
        return (longest or 0) > HOUR_SECONDS

    def _take_apart(self, version: str, day: Bucket) -> bool:
        """Remove the profiles of a day that lacks rows, and note that they are missing; False where it lacks none.

        Nor where retention has taken part of it: the profiles know more than the log then.
        """
        with reading(self._engine) as connection, patience(connection, _COUNTING_SECONDS):
            profiled = connection.scalar(select(func.sum(profiles.c.rows)).where(*inside(version, day))) or 0
            if count_logged(connection, version, day) <= profiled:  # counted later, as rows may come meanwhile
                return False
        later = (unprofiled.c.model_version == version) & (unprofiled.c.from_seconds > day.start)
        with writing(self._engine) as connection:
            write_alone(connection)
            if day.start < horizon(connection):
                return False
            connection.execute(delete(profiles).where(*inside(version, day)))
            connection.execute(update(unprofiled).where(later).values(from_seconds=day.start))
        return True

    def _note(self, same: ColumnElement[bool], done_until: float) -> None:
        earlier = same & (unprofiled.c.from_seconds < done_until)
        with writing(self._engine) as connection:
            connection.execute(update(unprofiled).where(earlier).values(from_seconds=done_until))
