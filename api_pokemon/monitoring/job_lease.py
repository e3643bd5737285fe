"""Keeps a running job its worker's own."""

import logging
from collections.abc import Callable
from threading import Event as Flag
from threading import Thread
from time import monotonic

from api_pokemon.monitoring.errors import LogUnavailableError
from api_pokemon.monitoring.job_process import Progress
from api_pokemon.monitoring.jobs import Job, Jobs

logger = logging.getLogger(__name__)

_JOIN_SECONDS = 2.0
_SURE = 0.9
"""Share of a lease for which it is taken to hold, so that clocks which do not run alike do no harm."""


class Lease:
    """Renews the lease of a job in a thread of its own, and carries its progress into the table.

    Parameters
    ----------
    jobs, job
        What to renew.
    seconds
        For how long, each time.
    beat_seconds
        Time between two heartbeats; also how soon it is noticed that the job was cancelled.
    claimed_at_seconds
        Time of the monotonic clock just before the job was claimed.
    """

    def __init__(self, jobs: Jobs, job: Job, *, seconds: float, beat_seconds: float, claimed_at_seconds: float) -> None:
        self._jobs = jobs
        self._job = job
        self._seconds = seconds
        self._beat_seconds = beat_seconds
        self._ended = Flag()
        self._thread: Thread | None = None
        self.holds_until_seconds = claimed_at_seconds + _SURE * seconds
        self.is_lost = False

    @property
    def is_over(self) -> bool:
        """Whether it could not be renewed in time."""
        return monotonic() >= self.holds_until_seconds

    def start(self, progress: Callable[[], Progress], renewed: Callable[[float], None]) -> None:
        """Begin to renew it.

        Parameters
        ----------
        progress
            Gives what to tell with each heartbeat.
        renewed
            Hears up to which time of the monotonic clock the lease holds now.
        """
        self._thread = Thread(target=self._run, args=(progress, renewed), name="job-lease", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Renew it no more. A heartbeat that waits for the database is left behind, and can do no harm."""
        self._ended.set()
        if self._thread:
            self._thread.join(_JOIN_SECONDS)

    def _run(self, progress: Callable[[], Progress], renewed: Callable[[float], None]) -> None:
        failed = False
        while not self._ended.wait(self._beat_seconds):
            before_seconds = monotonic()
            try:
                if not self._jobs.beat(self._job, *progress(), self._seconds):
                    self.is_lost = True
                    return
            except LogUnavailableError as error:
                if not failed:
                    logger.warning("%s: its lease cannot be renewed: %s; trying again", self._job.kind, error)
                failed = True
                continue
            failed = False
            self.holds_until_seconds = before_seconds + _SURE * self._seconds
            renewed(self.holds_until_seconds)
