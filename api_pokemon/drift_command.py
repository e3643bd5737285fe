"""``api-pokemon drift``: what is known of drift, and whether it can be trusted."""

import json
import time
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from api_pokemon.drift_jobs import checker_of, last_bucket
from api_pokemon.drift_options import (
    AsJson,
    From,
    Model,
    To,
    as_time,
    console_for_output,
    reached,
    readable,
    stretch_of,
    version_of,
)
from api_pokemon.drift_reference_command import reference
from api_pokemon.drift_report_command import report
from api_pokemon.errors import DriftError
from api_pokemon.monitoring.drift_checking import DriftCheck, DriftChecks, GroupCheck
from api_pokemon.monitoring.drift_references import DriftReferences, Reference
from api_pokemon.monitoring.profile_recount import Difference, Recount
from api_pokemon.progress import show_steps
from api_pokemon.startup import read_settings
from api_pokemon.stores import baselines_of, bucket_seconds_of, log_of

drift = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="See whether predictions still look like those that are normal, and say what is normal.\n\n"
    "The worker keeps profiles of all predictions, minute by minute, and compares the latest ones with a reference: of "
    "the request, what was asked, and of the choice, what the model chose. Times are in UTC.",
)


drift.add_typer(reference, name="reference")
drift.command()(report)


@drift.command()
def status(*, as_json: AsJson = False) -> None:
    """Print what the latest check of the worker has found, of each model version that answers.

    A group of fields counts as drifting where the latest window and the one before it drift; then there is an alert.
    """
    settings = read_settings()
    with reached("Nothing is known of drift"):
        engine = log_of(settings).engine
        checks, references = DriftChecks(engine).latest(), DriftReferences(engine)
        current = {check.model_version: references.current(check.model_version) for check in checks}
    if as_json:
        print(json.dumps([msgspec.to_builtins(check) for check in checks], indent=2))
        return
    console = console_for_output()
    if not checks:
        console.print("There was no check yet: there is one as soon as predictions are logged, and a worker runs.")
    for check in checks:
        print_check(console, check, current[check.model_version])


@drift.command()
def check(*, model: Model = None, as_json: AsJson = False) -> None:
    """Check the latest window now, and keep nothing of it.

    The window is as long as API_POKEMON_DRIFT_WINDOW_SECONDS says, and ends with the last minute that is over. A group
    of fields drifts where a field exceeds both 0.1 and what chance alone does in windows of that size. To ask
    another statistic, set API_POKEMON_DRIFT_NUMBER_STATISTIC or API_POKEMON_DRIFT_CATEGORY_STATISTIC for this command.

    Ends with exit status 1 where the window drifts.
    """
    settings = read_settings()
    engine = log_of(settings).engine
    with reached("Nothing can be checked"), readable():
        version = version_of(engine, model)
        found = checker_of(settings).check(version, last_bucket(settings, time.time()))
        current = DriftReferences(engine).current(version)
    if found is None:
        raise DriftError(f"{version} has no layout yet: a worker makes it up within minutes, if the version is there.")
    if as_json:
        print(json.dumps(msgspec.to_builtins(found), indent=2))
    else:
        print_check(console_for_output(), found, current)
    if found.verdict == "drift":
        raise SystemExit(1)


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


def print_check(console: Console, check: DriftCheck, current: Reference | None) -> None:
    """Print what was found of a model version, the fields that are furthest from the reference first."""
    console.print(
        f"{check.model_version}: {check.rows:,} predictions from {as_time(check.from_seconds)} to "
        f"{as_time(check.to_seconds)}, against {_kind(check)} of {check.reference_rows:,} rows.",
        soft_wrap=True,
    )
    if current is not None and current.reference_id != check.reference_id:
        console.print("Another reference counts since then: `api-pokemon drift reference show`.")
    for group in check.groups:
        console.print(_sentence(group))
    table = Table(box=None, pad_edge=False)
    for name in ("field", "group", "score", "chance", "verdict", "what changed"):
        table.add_column(name, justify="right" if name in ("score", "chance") else "left", no_wrap=True)
    for field in sorted(
        check.fields, key=lambda field: field.statistic / max(field.noise, field.threshold), reverse=True
    ):
        changes = ", ".join(
            f"{change.value} {change.reference_share:.0%} to {change.window_share:.0%}" for change in field.changes[:2]
        )
        shown = changes if field.verdict == "drift" else ""
        table.add_row(field.name, field.group, f"{field.statistic:.3f}", f"{field.noise:.3f}", field.verdict, shown)
    console.print(table)


def _kind(check: DriftCheck) -> str:
    kinds = {
        "uniform": "the provisional reference (made-up traffic)",
        "window": "a reference from production",
        "carried": "a reference from production, answered again",
    }
    return kinds[check.reference_kind]


def _sentence(group: GroupCheck) -> str:
    if group.is_detected:
        return f"{group.group}: drift, in this window and in the one before."
    if group.verdict == "drift":
        return f"{group.group}: drift in this window; in the one before: {group.verdict_before}."
    return f"{group.group}: {group.verdict}."
