"""``api-pokemon drift reference``: what is normal, who said so, and taking it back."""

import getpass
import json
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from api_pokemon.drift_options import (
    AsJson,
    Model,
    as_time,
    console_for_output,
    reached,
    readable,
    stretch_of,
    version_of,
)
from api_pokemon.errors import DriftError
from api_pokemon.monitoring.drift_references import DriftReferences, Reference
from api_pokemon.monitoring.profile_store import ProfileStore
from api_pokemon.startup import read_settings
from api_pokemon.stores import log_of

LEAST_ROWS = 1000
"""Fewer show too little of what is normal."""


def _said(text: str) -> str:
    if not text.strip():
        raise typer.BadParameter("it is empty; say why in a few words, for those who ask later")
    return text


Reason = Annotated[
    str, typer.Option(metavar="TEXT", help="Why; it is kept with who and when.", callback=_said, show_default=False)
]

reference = typer.Typer(
    no_args_is_help=True,
    help="Say what is normal, see what was said, take it back.\n\n"
    "A model version begins with a provisional reference: uniform traffic, made up, which no real client resembles. So "
    "drift from it is told, and nobody is woken. Once predictions have come for a while as they should, declare that "
    "stretch of time normal. A new model version takes it over by itself: the same requests, answered again.",
)


@reference.command()
def show(*, model: Model = None, as_json: AsJson = False) -> None:
    """Print the reference that counts."""
    with reached("The reference cannot be told"), readable():
        engine = log_of(read_settings()).engine
        current = DriftReferences(engine).current(version_of(engine, model))
    _print([current] if current else [], as_json=as_json)


@reference.command()
def history(
    *,
    model: Annotated[str | None, typer.Option("--model", metavar="VERSION", help="Only of this model version.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print what was said to be normal, newest first, what was taken back, too."""
    with reached("The references cannot be told"):
        found = DriftReferences(log_of(read_settings()).engine).history(model)
    _print(found, as_json=as_json)


@reference.command("use-window")
def use_window(
    *,
    since: Annotated[
        str, typer.Option("--from", metavar="TIME", help="From this time on: ISO 8601, UTC without an offset.")
    ],
    until: Annotated[str, typer.Option("--to", metavar="TIME", help="Before this time.")],
    reason: Reason,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Declare a stretch of production normal.

    It is taken in whole minutes, or hours or days where it is so long ago that profiles are; what was taken is printed.
    A day or a week shows more of what is normal than an hour.

    Example: api-pokemon drift reference use-window --from 2026-08-01 --to 2026-08-08 --reason "a usual week"
    """
    since_seconds, until_seconds = stretch_of(since, until)
    with reached("No reference can be declared"), readable():
        engine = log_of(read_settings()).engine
        version = version_of(engine, model)
        store = ProfileStore(engine)
        layout = store.layout(version)
        if layout is None:
            raise DriftError(f"{version} has no layout yet: start a worker where the version is.")
        # What is logged from now on would be in the stretch, and not in the reference.
        until_seconds = min(until_seconds or 0.0, time.time())
        window = store.whole_buckets(version, layout, since_seconds or 0.0, until_seconds)
        if window.profile.rows < LEAST_ROWS:
            raise DriftError(
                f"{version} has made {window.profile.rows:,} predictions from {as_time(window.from_seconds)} to "
                f"{as_time(window.to_seconds)}; a reference takes {LEAST_ROWS:,}. Name a longer stretch."
            )
        declared = DriftReferences(engine).declare(
            version,
            "window",
            window.profile,
            declared_by=_who(),
            reason=reason,
            from_seconds=window.from_seconds,
            to_seconds=min(window.to_seconds, time.time()),
        )
    _print([declared], as_json=as_json)


@reference.command("use-uniform")
def use_uniform(*, reason: Reason, model: Model = None, as_json: AsJson = False) -> None:
    """Go back to the provisional reference of uniform traffic."""
    with reached("No reference can be declared"), readable():
        engine = log_of(read_settings()).engine
        declared = DriftReferences(engine).use_uniform(version_of(engine, model), declared_by=_who(), reason=reason)
    _print([declared], as_json=as_json)


@reference.command()
def undo(*, model: Model = None, as_json: AsJson = False) -> None:
    """Take back the reference that counts; the one before it counts again. What was taken back stays in the history."""
    with reached("Nothing can be undone"), readable():
        engine = log_of(read_settings()).engine
        undone = DriftReferences(engine).undo(version_of(engine, model), undone_by=_who(), now_seconds=time.time())
    _print(undone, as_json=as_json)


def _who() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _document(item: Reference) -> dict[str, Any]:
    return {**asdict(item), "declared_seconds": item.declared_seconds, "is_provisional": item.is_provisional}


def _print(found: Sequence[Reference], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_document(item) for item in found], indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for name in ("model version", "kind", "from", "to", "rows", "declared", "by", "reason", "undone"):
        table.add_column(name, justify="right" if name == "rows" else "left", no_wrap=name != "reason")
    for item in found:
        undone = "" if item.undone_by is None else f"{as_time(item.undone_seconds)} by {item.undone_by}"
        stretch = (as_time(item.from_seconds), as_time(item.to_seconds))
        said = (as_time(item.declared_seconds), item.declared_by, item.reason)
        kind = f"{item.kind} (provisional)" if item.is_provisional else item.kind
        table.add_row(item.model_version, kind, *stretch, f"{item.rows:,}", *said, undone)
    console_for_output().print(table)
