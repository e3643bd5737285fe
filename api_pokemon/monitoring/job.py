"""What a job is, and what sort of jobs there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

State: TypeAlias = Literal["queued", "running", "succeeded", "failed", "cancelled"]
STATES: tuple[State, ...] = ("queued", "running", "succeeded", "failed", "cancelled")
FINISHED: tuple[State, ...] = ("succeeded", "failed", "cancelled")

ON_DEMAND = "manual-"
"""What the period of a job begins with that somebody asked for."""

SHORT_ID_FROM = 24
"""Where the last group of an id begins."""


@dataclass(frozen=True, slots=True)
class JobKind:
    """A sort of job.

    Parameters
    ----------
    name
        Unlike every other. Becomes a label.
    function
        What does it, as ``package.module:function``. Called in a process of its own, with the job's parameters and
        with what to tell progress to (a share in [0, 1], a text); returns the result. Both parameters and result are
        mappings that JSON can hold. It must bear being begun again after it was killed anywhere. An error that it
        raises is told with its traceback, unless it has the attribute `explains_itself`.
    every_seconds
        Length of its periods, which are counted from 1970 in UTC; None for a job that runs only when it is asked for.
        There is one job in each period, done by whichever worker comes first; its parameters are
        ``{"period": "2026-11-23T23:00:00Z"}``, the start. Periods in which no worker lived are not made up for, and a
        job that has not begun when the next period does is given up; one that has begun is finished.
    timeout_seconds
        How long one attempt may take. Below `every_seconds`, so that two periods do not meet.
    memory_bytes
        How much memory the process may have for itself, the interpreter included (about 50 MiB). On Linux only.
    attempts
        How often it is begun at most. An attempt whose worker is stopped in good order does not count; one whose
        worker dies does.
    first_retry_seconds
        Delay before the second attempt; it doubles from there.

    Examples
    --------
    >>> hourly = JobKind("report", "shop.reports:write", every_seconds=3600, timeout_seconds=600, memory_bytes=1 << 30)
    >>> hourly.period_at(1722109295.63)
    '2024-07-27T19:00:00Z'
    """

    name: str
    function: str
    every_seconds: float | None
    timeout_seconds: float
    memory_bytes: int
    attempts: int = 3
    first_retry_seconds: float = 30.0

    def period_at(self, now_seconds: float) -> str | None:
        """The name of the period that a Unix time falls into: its start. None where there are no periods."""
        if self.every_seconds is None:
            return None
        start_seconds = now_seconds // self.every_seconds * self.every_seconds
        return datetime.fromtimestamp(start_seconds, UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Job:
    """One row. Times are Unix seconds by the database's clock.

    Parameters
    ----------
    period
        The start of the period, or ``manual-<id>`` where somebody asked for the job.
    attempts
        How often it was begun.
    owner
        Who has it, or had it last: ``host/process/id of the claim``.
    progress, progress_text
        How far it is, in [0, 1], and what it says to that.
    error
        Why the last attempt failed, also where a later one is still to come.
    heartbeat_seconds
        When its worker was last heard of.
    started_seconds
        When the last attempt began.
    """

    job_id: str
    kind: str
    period: str
    state: State
    parameters: Mapping[str, Any]
    attempts: int
    not_before_seconds: float
    owner: str | None
    progress: float
    progress_text: str
    result: Mapping[str, Any] | None
    error: str | None
    created_seconds: float
    heartbeat_seconds: float | None
    started_seconds: float | None
    finished_seconds: float | None

    @property
    def is_finished(self) -> bool:
        return self.state in FINISHED

    @property
    def is_on_demand(self) -> bool:
        """Whether somebody asked for it, rather than the clock."""
        return self.period.startswith(ON_DEMAND)

    @property
    def short_id(self) -> str:
        """The end of the id, which is left to chance and tells the jobs of a table apart."""
        return self.job_id[SHORT_ID_FROM:]
