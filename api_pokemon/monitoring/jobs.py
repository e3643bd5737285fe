"""Work that is done once, however many workers there are: rows of a table, each claimed for a time (a *lease*).

A job is known by its kind and its period. Whoever comes first writes the row, whoever claims it runs it, and who dies
over it lets its lease run out, so that another claims it. Each claim has an *owner* of its own: what an owner that
lost its lease still wants to write finds another's name in the row, and changes nothing.

::

    queued -> running -> succeeded
      ^          |-----> failed       after the last attempt
      |----------|                    failed and to be tried again, or its worker stopped
    queued, running ---> cancelled
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Insert,
    Update,
    and_,
    delete,
    desc,
    exists,
    func,
    insert,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from api_pokemon.monitoring.database import reading, writing
from api_pokemon.monitoring.ids import new_id
from api_pokemon.monitoring.job import FINISHED, ON_DEMAND, SHORT_ID_FROM, STATES, Job, JobKind, State
from api_pokemon.monitoring.job_table import DatabaseNow, jobs_table, share_of, storable, to_json

__all__ = ["FINISHED", "MOST_PARAMETERS_BYTES", "STATES", "Job", "JobKind", "Jobs", "Look", "State"]

MOST_PARAMETERS_BYTES = 32 << 10
"""Parameters must fit into a pipe at once: then no worker ever waits for a child to read them."""

_KEEP = 1000
_KEEP_SECONDS = 90 * 86_400.0
_NOW = DatabaseNow()


class Look(NamedTuple):
    """The time by the database's clock, and whether there is something to claim."""

    now_seconds: float
    is_waiting: bool


_COLUMNS = [jobs_table.c[name] for name in Job.__dataclass_fields__]
_FRESH = {"state": "queued", "attempts": 0, "progress": 0.0, "progress_text": "", "not_before_seconds": _NOW}


class Jobs:
    """The table of jobs.

    Parameters
    ----------
    engine
        The log's database. The table comes with the log's migrations.

    Every method raises `LogUnavailableError` where the database does not answer, or has no such table yet.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def enqueue(self, kind: str, parameters: Mapping[str, Any] | None = None) -> str:
        """Ask for a job, outside of any period; returns its id.

        Raises
        ------
        ValueError
            If the parameters are not what JSON can hold, or too much.
        """
        text = to_json(parameters or {}, MOST_PARAMETERS_BYTES)
        job_id = new_id()
        values = {"job_id": job_id, "kind": kind, "period": f"{ON_DEMAND}{job_id}", "parameters": text}
        with writing(self._engine) as connection:
            connection.execute(insert(jobs_table).values(**values, **_FRESH, created_seconds=_NOW))
        return job_id

    def enqueue_period(self, kind: JobKind, now_seconds: float) -> bool:
        """See that there is a job for the present period of a kind; returns whether it was still missing.

        Gives up what was waiting for an earlier period.
        """
        period = kind.period_at(now_seconds)
        if period is None:
            return False
        values = {"job_id": new_id(), "kind": kind.name, "period": period, "parameters": to_json({"period": period})}
        with writing(self._engine) as connection:
            statement = _insert_if_missing(connection).values(**values, **_FRESH, created_seconds=_NOW)
            if connection.execute(statement.returning(jobs_table.c.job_id)).one_or_none() is None:
                return False
            connection.execute(_give_up_before(kind.name, period))
        return True

    def look(self, kinds: Sequence[str]) -> Look:
        """Look, without writing anything, what the time is and whether a job of these kinds can be claimed."""
        with reading(self._engine) as connection:
            now_seconds, is_waiting = connection.execute(select(_NOW, exists().where(_claimable(kinds)))).one()
        return Look(now_seconds, bool(is_waiting))

    def claim(self, kinds: Sequence[str], owner: str, lease_seconds: float) -> Job | None:
        """Take the job of these kinds that waits longest, or whose owner let its lease run out; None if there is none.

        PostgreSQL passes over rows that others are taking in this moment. SQLite has one writer at a time.
        """
        found = select(jobs_table.c.job_id).where(_claimable(kinds))
        first = found.order_by(jobs_table.c.not_before_seconds, jobs_table.c.job_id).limit(1)
        statement = (
            update(jobs_table)
            .where(jobs_table.c.job_id == first.with_for_update(skip_locked=True).scalar_subquery())
            .values(state="running", owner=owner, attempts=jobs_table.c.attempts + 1, started_seconds=_NOW)
            .values(progress=0.0, progress_text="", heartbeat_seconds=_NOW, lease_until_seconds=_NOW + lease_seconds)
        )
        return self._change(statement)

    def beat(self, job: Job, progress: float, text: str, lease_seconds: float) -> bool:
        """Renew the lease and tell progress; returns False where the job has another owner by now, or none."""
        running = _of_owner(job).where(jobs_table.c.state == "running")
        statement = running.values(progress=share_of(progress), progress_text=storable(text))
        renewed = statement.values(heartbeat_seconds=_NOW, lease_until_seconds=_NOW + lease_seconds)
        return self._change(renewed) is not None

    def succeed(self, job: Job, result: Mapping[str, Any]) -> Job | None:
        """Write the result; None where the job is no longer the owner's."""
        done = _of_owner(job).values(state="succeeded", result=to_json(result), error=null(), progress=1.0)
        return self._change(done.values(finished_seconds=_NOW))

    def fail(self, job: Job, error: str) -> Job | None:
        """Write that it failed for good; None where the job is no longer the owner's."""
        return self._change(_of_owner(job).values(state="failed", error=storable(error), finished_seconds=_NOW))

    def retry(self, job: Job, error: str, delay_seconds: float) -> Job | None:
        """Let it be begun again after a delay; None where the job is no longer the owner's."""
        again = _of_owner(job).values(state="queued", owner=null(), error=storable(error))
        return self._change(again.values(not_before_seconds=_NOW + delay_seconds))

    def release(self, job: Job) -> Job | None:
        """Give it back as if it had not been begun; None where the job is no longer the owner's."""
        back = _of_owner(job).values(state="queued", owner=null(), progress=0.0, progress_text="")
        return self._change(back.values(attempts=jobs_table.c.attempts - 1, not_before_seconds=_NOW))

    def cancel(self, job_id: str) -> Job | None:
        """Give a job up; whoever runs it notices with its next heartbeat. None where it is not there, or finished."""
        unfinished = (jobs_table.c.job_id == job_id) & jobs_table.c.state.not_in(FINISHED)
        return self._change(update(jobs_table).where(unfinished).values(**_CANCELLED, error="Cancelled."))

    def find(self, job_id: str) -> Job | None:
        """The job of that id, or of that short id; None where there is none."""
        short = func.substr(jobs_table.c.job_id, SHORT_ID_FROM + 1)
        named = or_(jobs_table.c.job_id == job_id, short == job_id)
        with reading(self._engine) as connection:
            row = connection.execute(select(*_COLUMNS).where(named).limit(1)).one_or_none()
        return None if row is None else _job_of(row)

    def page(self, most: int, *, kind: str | None = None, state: State | None = None) -> list[Job]:
        """The jobs that were written last, newest first."""
        statement = select(*_COLUMNS).order_by(desc(jobs_table.c.created_seconds), desc(jobs_table.c.job_id))
        for name, value in (("kind", kind), ("state", state)):
            if value is not None:
                statement = statement.where(jobs_table.c[name] == value)
        with reading(self._engine) as connection:
            return [_job_of(row) for row in connection.execute(statement.limit(most))]

    def last_successes(self) -> dict[str, float]:
        """By kind, when a job last succeeded."""
        statement = select(jobs_table.c.kind, func.max(jobs_table.c.finished_seconds))
        with reading(self._engine) as connection:
            rows = connection.execute(statement.where(jobs_table.c.state == "succeeded").group_by(jobs_table.c.kind))
            return {kind: finished_seconds for kind, finished_seconds in rows}  # noqa: C416 -- dict() has no types here

    def remove_finished(
        self, kind: JobKind, now_seconds: float, *, keep: int = _KEEP, keep_seconds: float = _KEEP_SECONDS
    ) -> int:
        """Remove finished jobs of a kind, beyond the last ones and the youngest; returns how many.

        That of the present period stays: without it, the period would begin anew.
        """
        finished = (jobs_table.c.kind == kind.name) & jobs_table.c.state.in_(FINISHED)
        last = select(jobs_table.c.job_id).where(finished).order_by(desc(jobs_table.c.finished_seconds)).limit(keep)
        too_many = jobs_table.c.job_id.not_in(last)
        too_old = jobs_table.c.finished_seconds < now_seconds - keep_seconds
        past = jobs_table.c.period != (kind.period_at(now_seconds) or "")
        with writing(self._engine) as connection:
            return connection.execute(delete(jobs_table).where(finished, past, too_many | too_old)).rowcount

    def _change(self, statement: Update) -> Job | None:
        with writing(self._engine) as connection:
            row = connection.execute(statement.returning(*_COLUMNS)).one_or_none()
        return None if row is None else _job_of(row)


_CANCELLED = {"state": "cancelled", "owner": null(), "finished_seconds": _NOW}


def _insert_if_missing(connection: Connection) -> Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(jobs_table).on_conflict_do_nothing()
    return postgresql.insert(jobs_table).on_conflict_do_nothing()


def _claimable(kinds: Sequence[str]) -> ColumnElement[bool]:
    due = and_(jobs_table.c.state == "queued", jobs_table.c.not_before_seconds <= _NOW)
    left = and_(jobs_table.c.state == "running", jobs_table.c.lease_until_seconds < _NOW)
    return and_(jobs_table.c.kind.in_(kinds), or_(due, left))


def _of_owner(job: Job) -> Update:
    """Changes the job as long as it has that owner. Cancelled and queued ones have none."""
    return update(jobs_table).where(jobs_table.c.job_id == job.job_id, jobs_table.c.owner == job.owner)


def _give_up_before(kind: str, period: str) -> Update:
    begun_none = (jobs_table.c.state == "queued") & (jobs_table.c.attempts == 0)
    of_a_period = jobs_table.c.period.not_like(f"{ON_DEMAND}%") & (jobs_table.c.period != period)
    gone_by = jobs_table.c.not_before_seconds < _NOW
    given_up = update(jobs_table).where(jobs_table.c.kind == kind, begun_none, of_a_period, gone_by)
    return given_up.values(**_CANCELLED, error=f"Not begun when the period {period} began.")


def _job_of(row: Any) -> Job:
    values = dict(row._mapping)
    values["parameters"] = json.loads(values["parameters"])
    values["result"] = None if values["result"] is None else json.loads(values["result"])
    return Job(**values)
