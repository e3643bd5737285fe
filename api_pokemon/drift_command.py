"""``api-pokemon drift``: what is known of drift, and whether it can be trusted."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api_pokemon.errors import UnreachableError
from api_pokemon.monitoring import LogUnavailableError
from api_pokemon.monitoring.errors import LogMissingError
from api_pokemon.monitoring.profile_recount import Difference, Recount
from api_pokemon.progress import show_steps
from api_pokemon.routes.times import parse_time
from api_pokemon.startup import read_settings
from api_pokemon.stores import baselines_of, bucket_seconds_of, log_of

_WIDTH = 140
"""Where there is no terminal, so that the output does not depend on where it goes."""

From = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="From this time on: ISO 8601, UTC without an offset.")
]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Before this time.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print it for programs.")]

drift = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="See whether predictions still look like those that are normal, and say what is normal.\n\n"
    "The worker keeps profiles of all predictions, minute by minute, and compares the latest ones with a reference: of "
    "the request, what was asked, and of the choice, what the model chose. Times are in UTC.",
)


@drift.callback()
def _group() -> None: ...


@drift.command()
def verify(
    *,
    since: From = None,
    until: To = None,
    repair: Annotated[bool, typer.Option("--repair", help="Make profiles that differ anew, from the log.")] = False,
    as_json: AsJson = False,
) -> None:
    """Count the log again and compare with the profiles, exactly.

    May run while predictions are made and logged. Left out are hours that retention has taken predictions from.

    Ends with exit status 1 where anything differs and was not repaired.

    Example: api-pokemon drift verify --from 2026-08-01 --repair
    """
    since_seconds, until_seconds = stretch_of(since, until)
    settings = read_settings()
    recount = Recount(log_of(settings).engine, baselines_of(settings), bucket_seconds=bucket_seconds_of(settings))
    found: list[tuple[Difference, bool]] = []
    with reached("The profiles cannot be verified"), show_steps(Console(stderr=True)) as start:
        stretches = list(recount.stretches(since_seconds, until_seconds))
        tell = start("verify")
        for done, stretch in enumerate(stretches, start=1):
            differ = recount.compare(stretch)
            found += [(each, repair and recount.repair(each.model_version, stretch)) for each in differ]
            tell(done, len(stretches))
    if as_json:
        print(json.dumps({"stretches": len(stretches), "differences": [_document(*item) for item in found]}, indent=2))
    else:
        _print(len(stretches), found)
    if not all(repaired for _, repaired in found):
        raise SystemExit(1)


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


def _seconds(text: str | None, option: str) -> float | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=f"'{option}'") from error


def _document(difference: Difference, repaired: bool) -> dict[str, object]:
    return {
        "model_version": difference.model_version,
        "from_seconds": difference.bucket.start,
        "to_seconds": difference.bucket.start + difference.bucket.seconds,
        "logged": difference.logged,
        "profiled": difference.profiled,
        "reason": difference.reason,
        "repaired": repaired,
    }


def _print(stretches: int, found: Sequence[tuple[Difference, bool]]) -> None:
    console = console_for_output()
    if not found:
        console.print(f"All profiles are what the log says: {stretches:,} hours or days compared.")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("from", "to", "model version", "logged", "profiled", "what differs", "repaired"):
        table.add_column(name, justify="right" if name in ("logged", "profiled") else "left", no_wrap=True)
    for difference, repaired in found:
        start, seconds = difference.bucket
        table.add_row(
            as_time(start),
            as_time(start + seconds),
            difference.model_version,
            f"{difference.logged:,}",
            f"{difference.profiled:,}",
            difference.reason,
            "yes" if repaired else "no",
        )
    console.print(table)
