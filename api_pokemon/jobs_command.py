"""``api-pokemon jobs``: what the workers do beside logging, by the clock or when asked."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from api_pokemon.errors import StartError, UnreachableError
from api_pokemon.monitoring import LogUnavailableError
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.errors import LogMissingError
from api_pokemon.monitoring.jobs import STATES, Job, Jobs, State
from api_pokemon.progress import LINE_EVERY_SECONDS
from api_pokemon.startup import log_url_of, read_settings

_EXIT_INTERRUPTED = 130
_LOOK_SECONDS = 0.25
_MOST_OUTCOME = 60
_WIDTH = 160
"""Where there is no terminal, so that the output does not depend on where it goes."""

jobs = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at the jobs of the workers, ask for one, or give one up.\n\n"
    "A job is what a worker does beside logging, such as removing old predictions: by the clock, or when it is asked "
    "to. It is done once, however many workers run, in a process of its own; where its worker dies, another begins it "
    "again. Times are in UTC.",
)


def _known_kind(kind: str | None) -> str | None:
    from api_pokemon.worker import JOB_KINDS  # with all that it needs, which --help does not

    known = [known.name for known in JOB_KINDS]
    if kind is not None and kind not in known:
        raise typer.BadParameter(f"there is no kind {kind!r}; there is {', '.join(known)}")
    return kind


def _known_state(state: str | None) -> str | None:
    if state is not None and state not in STATES:
        raise typer.BadParameter(f"there is no state {state!r}; there is {', '.join(STATES)}")
    return state


def _object(text: str) -> str:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"this is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise typer.BadParameter('an object is wanted, such as {"seed": 1}')
    return text


@jobs.command("list")
def list_(
    kind: Annotated[str | None, typer.Option(callback=_known_kind, help="Only jobs of this kind.")] = None,
    state: Annotated[
        str | None, typer.Option(callback=_known_state, help=f"Only jobs in this state: {', '.join(STATES)}.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
) -> None:
    """Print the jobs that were asked for last, newest first.

    The last column has the result, or why the last attempt failed, in short; ask for one job alone with `show`.
    """
    with _reached() as table:
        page = table.page(limit, kind=kind, state=_state(state))
    console = _console()
    console.print(_table(page) if page else "No such jobs.")


@jobs.command()
def show(job_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `list` and `run` print.")]) -> None:
    """Print all there is to know of a job, as JSON: its parameters, its whole result or error."""
    with _reached() as table:
        job = _found(table, job_id)
    print(json.dumps({name: getattr(job, name) for name in Job.__dataclass_fields__}, indent=2))


@jobs.command()
def run(
    kind: Annotated[str, typer.Argument(metavar="KIND", callback=_known_kind, help="What is to be done.")],
    parameters: Annotated[
        str, typer.Option(metavar="JSON", callback=_object, help="What the job is told, as a JSON object.")
    ] = "{}",
    wait: Annotated[bool, typer.Option("--wait", help="Show its progress until it has ended.")] = False,
) -> None:
    """Ask for a job, beside those that come by the clock; the next worker that is free does it.

    Prints the id. With --wait, exit status 1 means that it failed or was given up; Ctrl-C ends the waiting, and not
    the job.

    Example: api-pokemon jobs run retention --wait
    """
    with _reached() as table:
        try:
            job_id = table.enqueue(kind, json.loads(parameters))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="'--parameters'") from error
        try:
            print(job_id, flush=True)
            if not wait:
                return
            job = _wait(table, job_id)
        except KeyboardInterrupt:
            Console(stderr=True).print("It goes on: api-pokemon jobs list", highlight=False)
            raise typer.Exit(_EXIT_INTERRUPTED) from None
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(
        f"{kind} {job.state}: {_outcome(job) or 'no result'}"
    )
    if job.state != "succeeded":
        raise typer.Exit(1)


@jobs.command()
def cancel(job_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `list` and `run` print.")]) -> None:
    """Give a job up, queued or running; one that runs is ended within a second or two.

    What it has done by then stays done.
    """
    with _reached() as table:
        job = _found(table, job_id)
        cancelled = table.cancel(job.job_id)
    if cancelled is None:
        raise typer.BadParameter(f"job {job_id} is {_found(table, job_id).state} already", param_hint="'ID'")
    print(f"{job.kind} cancelled")


@contextmanager
def _reached() -> Iterator[Jobs]:
    """The jobs of the database that the settings name."""
    try:
        engine = connect(log_url_of(read_settings()))
    except ValueError as error:
        raise StartError(f"API_POKEMON_LOG_URL is wrong: {error}") from error
    try:
        yield Jobs(engine)
    except LogMissingError as error:
        raise UnreachableError(f"There is no log yet, and so are no jobs: start a worker once. {error}") from error
    except LogUnavailableError as error:
        raise UnreachableError(f"The jobs cannot be reached: {error}") from error
    finally:
        engine.dispose()


def _found(table: Jobs, job_id: str) -> Job:
    job = table.find(job_id)
    if job is None:
        raise typer.BadParameter(
            f"there is no job {job_id!r}; `api-pokemon jobs list` has those there are", param_hint="'ID'"
        )
    return job


def _state(text: str | None) -> State | None:
    return next((state for state in STATES if state == text), None)


def _wait(table: Jobs, job_id: str) -> Job:
    """Show how far the job is until it has ended."""
    console = Console(stderr=True, highlight=False, markup=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    last_seconds = monotonic()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        while not (job := _found(table, job_id)).is_finished:
            bar.update(task, completed=job.progress, description=_doing(job))
            if not console.is_terminal and monotonic() - last_seconds >= LINE_EVERY_SECONDS:
                last_seconds = monotonic()
                console.print(f"{_doing(job)} {job.progress:.0%}", soft_wrap=True)
            sleep(_LOOK_SECONDS)
    return job


def _doing(job: Job) -> str:
    return f"{job.kind} {job.state}" + (f": {_short(job.progress_text)}" if job.progress_text else "")


def _console() -> Console:
    """Prints texts as they are, whatever brackets they have."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=_WIDTH)


def _table(page: list[Job]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("id", "kind", "period", "state", "progress", "attempts", "started", "took", "outcome"):
        right = name in ("attempts", "took")
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "outcome", overflow="fold")
    for job in page:
        table.add_row(*_cells(job))
    return table


def _cells(job: Job) -> tuple[str, ...]:
    return (
        job.short_id,
        job.kind,
        "on demand" if job.is_on_demand else job.period,
        job.state,
        f"{job.progress:.0%} {_short(job.progress_text, 24)}".rstrip(),
        str(job.attempts),
        _time(job.started_seconds),
        _took(job),
        _outcome(job),
    )


def _time(seconds: float | None) -> str:
    """
    >>> _time(1722109295.63)
    '2024-07-27 19:41:35'
    """
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _took(job: Job) -> str:
    if job.started_seconds is None or job.finished_seconds is None:
        return ""
    return f"{job.finished_seconds - job.started_seconds:,.1f} s"


def _outcome(job: Job) -> str:
    """What came of it on one line, if only so far."""
    if job.error and job.state != "running":
        return _short(job.error)
    return "" if job.result is None else _short(_sentence(job.result))


def _sentence(result: Mapping[str, Any]) -> str:
    """
    >>> _sentence({"removed": 12, "kept": [1, 2]})
    'removed 12, kept [1, 2]'
    """
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in result.items()
    )


def _short(text: str, most: int = _MOST_OUTCOME) -> str:
    """
    >>> _short("LookupError: no rows\\n\\nTraceback ..."), _short("x" * 70, 5)
    ('LookupError: no rows', 'xxxx…')
    """
    line = (text.strip().splitlines() or [""])[0]
    return line if len(line) <= most else line[: most - 1] + "…"
