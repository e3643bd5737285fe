"""What the commands of ``api-pokemon drift`` have in common: options, times, and one line for what cannot be."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import Engine

from api_pokemon.errors import DriftError, UnreachableError
from api_pokemon.monitoring import LogUnavailableError
from api_pokemon.monitoring.drift_references import DriftReferences
from api_pokemon.monitoring.errors import LogMissingError, NoReferenceError, ProfileError
from api_pokemon.monitoring.profile_store import ProfileStore
from api_pokemon.routes.times import parse_time

_WIDTH = 200
"""Where there is no terminal, so that the output does not depend on where it goes."""

From = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="From this time on: ISO 8601, UTC without an offset.")
]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Before this time.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print it for programs.")]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="VERSION", help="The model version.", show_default="the one that answered last"),
]


def stretch_of(since: str | None, until: str | None) -> tuple[float | None, float | None]:
    """The Unix times of `--from` and `--to`."""
    since_seconds, until_seconds = _seconds(since, "--from"), _seconds(until, "--to")
    if since_seconds is not None and until_seconds is not None and since_seconds >= until_seconds:
        raise typer.BadParameter(f"{until!r} is not after {since!r}", param_hint="'--to'")
    return since_seconds, until_seconds


@contextmanager
def reached(what: str) -> Iterator[None]:
    """Tell in one line that the database cannot be reached."""
    try:
        yield
    except LogMissingError as error:
        raise UnreachableError(f"{what}: there is no log yet. Start a worker once. {error}") from error
    except LogUnavailableError as error:
        raise UnreachableError(f"{what}: {error}") from error


def console_for_output() -> Console:
    """Prints texts as they are, whatever brackets they have."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=_WIDTH)


def as_time(seconds: float | None) -> str:
    """
    >>> as_time(1722109295.63)
    '2024-07-27 19:41:35'
    """
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


@contextmanager
def readable() -> Iterator[None]:
    """Tell in one line what cannot be read, or is not there."""
    try:
        yield
    except (NoReferenceError, ProfileError) as error:
        raise DriftError(str(error)) from error


def version_of(engine: Engine, model: str | None) -> str:
    """The model version that is meant.

    Raises
    ------
    DriftError
        There is no such version, or none at all.
    """
    known = DriftReferences(engine).versions()
    if model is not None and model not in known:
        raise DriftError(f"Nothing is known of a model version {model!r}. Known: {', '.join(known) or 'none yet'}.")
    last = ProfileStore(engine).last_versions()
    found = model or next(iter(last or known[-1:]), None)
    if found is None:
        raise DriftError("Nothing is known of any model version yet: let some predictions be logged.")
    return found


def _seconds(text: str | None, option: str) -> float | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=f"'{option}'") from error
