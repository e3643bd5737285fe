"""Runs jobs in a worker: one at a time, each in a child process."""

import logging
import os
import socket
from collections.abc import Callable, Sequence
from threading import Event as Flag
from threading import Thread
from time import monotonic
from typing import Literal, TypeAlias

from prometheus_client import CollectorRegistry

from api_pokemon.monitoring.back_off import BackOff
from api_pokemon.monitoring.errors import LogMissingError, LogUnavailableError
from api_pokemon.monitoring.ids import new_id
from api_pokemon.monitoring.job_lease import Lease
from api_pokemon.monitoring.job_metrics import Ending, JobMetrics
from api_pokemon.monitoring.job_process import JobProcess
from api_pokemon.monitoring.jobs import Job, JobKind, Jobs

logger = logging.getLogger(__name__)

Why: TypeAlias = Literal["ended", "timeout", "lost", "stopped"]

_BEAT_SECONDS = 1.0
_TURN_SECONDS = 0.1
_TIDY_SECONDS = 60.0
_LONGEST_RETRY_SECONDS = 3600.0


class JobRunner:
    """Claims jobs and runs them until it is told to stop. Any number of workers may have one, on the same table.

    A job runs at most once at a time: its child ends with this process and with its lease, and what an owner that lost
    its lease still has to say changes nothing. It is begun again where its worker died, hence at least once.

    Parameters
    ----------
    jobs
        The table.
    kinds
        What this worker can do. Jobs of other kinds are left to other workers.
    metrics
        Where runs are counted.
    lease_seconds
        How long a job stays with a worker that is not heard of. A database that is away for longer than that has the
        child ended, and the job begun anew: somebody else, who can reach it, may have claimed the job.
    poll_seconds
        Time between two looks for something to do.
    grace_seconds
        Between SIGTERM and SIGKILL for a child that is to end.
    back_off
        Waits while the database is away.
    """

    def __init__(
        self,
        jobs: Jobs,
        kinds: Sequence[JobKind],
        metrics: JobMetrics | None = None,
        *,
        lease_seconds: float = 60.0,
        poll_seconds: float = 1.0,
        grace_seconds: float = 1.0,
        back_off: BackOff | None = None,
    ) -> None:
        self._jobs = jobs
        self._kinds = {kind.name: kind for kind in kinds}
        self._metrics = metrics or JobMetrics(CollectorRegistry(), self._kinds)
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._grace_seconds = grace_seconds
        self._back_off = back_off or BackOff()
        self._planned: dict[str, str | None] = {}
        self._tidied_at_seconds: float | None = None
        self._stopping = Flag()
        self._thread = Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, wait_seconds: float = 5.0) -> None:
        """End the running child, give its job back, and return once that is done or the time is over."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(wait_seconds)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                worked = self._turn()
            except LogMissingError:  # at the first start of all, until the worker has made it
                self._stopping.wait(self._poll_seconds)
                continue
            except LogUnavailableError as error:
                if not failures:
                    logger.error("jobs cannot be reached: %s; trying again", error)
            except Exception:  # the outermost loop of this thread
                logger.exception("jobs do not go on; trying again")
            else:
                if failures:
                    logger.info("jobs can be reached")
                failures = 0
                self._stopping.wait(0 if worked else self._poll_seconds)
                continue
            failures += 1
            self._stopping.wait(self._back_off.delay_seconds(failures))

    def _turn(self) -> bool:
        """Do the next job, if there is one; returns whether there was."""
        look = self._jobs.look(tuple(self._kinds))
        planned = self._plan(look.now_seconds)
        self._tidy(look.now_seconds)
        if not (planned or look.is_waiting):
            return False
        claimed_at_seconds = monotonic()
        owner = f"{socket.gethostname()}/{os.getpid()}/{new_id()}"
        job = self._jobs.claim(tuple(self._kinds), owner, self._lease_seconds)
        if job is None:
            return False
        lease = Lease(
            self._jobs,
            job,
            seconds=self._lease_seconds,
            beat_seconds=min(_BEAT_SECONDS, self._lease_seconds / 10),
            claimed_at_seconds=claimed_at_seconds,
        )
        ending = self._do(job, self._kinds[job.kind], lease)
        self._count(job, ending, monotonic() - claimed_at_seconds)
        return True

    def _plan(self, now_seconds: float) -> bool:
        """See that the present period of each kind has its job; returns whether one came to it."""
        added = False
        for name, kind in self._kinds.items():
            period = kind.period_at(now_seconds)
            if period != self._planned.get(name):
                added |= self._jobs.enqueue_period(kind, now_seconds)
                self._planned[name] = period
        return added

    def _tidy(self, now_seconds: float) -> None:
        """Remove old rows, and learn what other workers have done, now and then."""
        if self._tidied_at_seconds is not None and monotonic() < self._tidied_at_seconds + _TIDY_SECONDS:
            return
        for kind in self._kinds.values():
            self._jobs.remove_finished(kind, now_seconds)
        self._metrics.show_last_successes(self._jobs.last_successes())
        self._tidied_at_seconds = monotonic()

    def _do(self, job: Job, kind: JobKind, lease: Lease) -> Ending:
        if job.attempts > kind.attempts:
            return self._write(job, "failed", lambda: self._jobs.fail(job, "The worker died each time it was begun."))
        process = JobProcess(job, kind)
        try:
            process.start(lease.holds_until_seconds)
        except OSError as error:
            return self._fail(job, kind, f"No process could be started for it: {error}.")
        lease.start(lambda: process.progress, process.extend)
        why = self._attend(process, kind, lease)
        process.end(self._grace_seconds)
        lease.stop()
        return self._settle(job, kind, process, why, lease)

    def _attend(self, process: JobProcess, kind: JobKind, lease: Lease) -> Why:
        """Wait until the child has ended, or is to be ended."""
        deadline_seconds = monotonic() + kind.timeout_seconds
        while not process.ended_within(_TURN_SECONDS):
            if lease.is_lost:
                return "lost"
            if self._stopping.is_set():
                return "stopped"
            if monotonic() > deadline_seconds:
                return "timeout"
        return "ended"

    def _settle(self, job: Job, kind: JobKind, process: JobProcess, why: Why, lease: Lease) -> Ending:
        """Write down what became of it."""
        if why == "lost":
            return self._lost(job)
        if (result := process.result) is not None:
            return self._write(job, "succeeded", lambda: self._jobs.succeed(job, result))
        if why == "timeout":
            return self._fail(job, kind, process.explain(f"It took longer than {kind.timeout_seconds:g} s."))
        if why == "stopped" or lease.is_over:
            return self._write(job, "interrupted", lambda: self._jobs.release(job))
        return self._fail(job, kind, process.error)

    def _fail(self, job: Job, kind: JobKind, error: str) -> Ending:
        logger.warning("%s (%s), attempt %d of %d: %s", job.kind, job.period, job.attempts, kind.attempts, error)
        if job.attempts >= kind.attempts:
            return self._write(job, "failed", lambda: self._jobs.fail(job, error))
        delay_seconds = BackOff(kind.first_retry_seconds, _LONGEST_RETRY_SECONDS).delay_seconds(job.attempts)
        return self._write(job, "retried", lambda: self._jobs.retry(job, error, delay_seconds))

    def _write(self, job: Job, ending: Ending, change: Callable[[], Job | None]) -> Ending:
        """Write the end of a job, however long that takes; at the worker's own end it is tried once."""
        failures = 0
        while True:
            try:
                done = change()
            except LogUnavailableError as error:
                failures += 1
                if failures == 1:
                    logger.error("%s (%s) %s, which cannot be written: %s", job.kind, job.period, ending, error)
                if self._stopping.wait(self._back_off.delay_seconds(failures)):
                    return "lost"
                continue
            if done is None:
                return self._lost(job)
            if ending == "succeeded" and done.finished_seconds:
                self._metrics.show_last_successes({job.kind: done.finished_seconds})
            return ending

    def _lost(self, job: Job) -> Ending:
        try:
            found = self._jobs.find(job.job_id)
        except LogUnavailableError:
            return "lost"
        return "cancelled" if found and found.state == "cancelled" else "lost"

    def _count(self, job: Job, ending: Ending, duration_seconds: float) -> None:
        logger.info("%s (%s) %s after %.1f s", job.kind, job.period, ending, duration_seconds)
        self._metrics.count(job.kind, ending, duration_seconds)
