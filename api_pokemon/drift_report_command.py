"""``api-pokemon drift report``: a report that is written here and now."""

import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from api_pokemon.drift_jobs import last_bucket
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
from api_pokemon.errors import DriftError
from api_pokemon.monitoring.errors import ReportError
from api_pokemon.monitoring.profile_store import ProfileStore
from api_pokemon.monitoring.report_summary import FieldSummary, ReportSummary
from api_pokemon.progress import show_steps
from api_pokemon.report_jobs import reporter_of
from api_pokemon.settings import Settings
from api_pokemon.startup import read_settings
from api_pokemon.stores import log_of, reports_of


def report(
    *,
    model: Model = None,
    since: From = None,
    until: To = None,
    as_json: AsJson = False,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in a browser, from the file.")] = False,
) -> None:
    """Write a drift report here and now, beside those that the worker writes by the clock.

    Evidently compares a sample of the predictions with the reference, and draws both; its verdicts stand beside ours,
    which are of all predictions. The report is kept where the worker keeps its own, and its place is printed.

    Without a time it is on the latest window, as `api-pokemon drift check` is. A time is taken in whole minutes, or
    hours or days where it is so long ago that profiles are.

    Example: api-pokemon drift report --from 2026-08-01T14:00 --to 2026-08-01T15:00
    """
    stretch = stretch_of(since, until)
    settings = read_settings()
    with reached("No report can be written"), readable(), _written(), show_steps(Console(stderr=True)) as start:
        version = version_of(log_of(settings).engine, model)
        window = _window(settings, version, *stretch)
        summary = reporter_of(settings).write(version, *window, _percent(start("report")))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(summary)).decode())
    else:
        _print(console_for_output(), summary)
    page = reports_of(settings).file(summary.report_id, "html")
    if not as_json:
        print(page)
    if open_it and page is not None and not webbrowser.open(page.absolute().as_uri()):
        raise DriftError(f"No browser can be started here. Copy the page to where there is one: {page}")


def _window(settings: Settings, version: str, since: float | None, until: float | None) -> tuple[float, float]:
    end = last_bucket(settings, time.time())
    if since is None and until is None:
        return end - settings.drift_window_seconds, end
    store = ProfileStore(log_of(settings).engine)
    layout = store.layout(version)
    if layout is None:
        raise DriftError(f"{version} has no layout yet: start a worker where the version is.")
    found = store.whole_buckets(version, layout, since or 0.0, end if until is None else until)
    return found.from_seconds, found.to_seconds


@contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except ReportError as error:
        raise DriftError(str(error)) from error
    except OSError as error:
        raise DriftError(f"The report cannot be kept: {error}.") from error


def _percent(tell: Callable[[int, int], None]) -> Callable[[float, str], None]:
    return lambda share, text: tell(round(share * 100), 100)


def _print(console: Console, summary: ReportSummary) -> None:
    console.print(
        f"{summary.model_version}: {summary.verdict}, of {summary.rows:,} predictions from "
        f"{as_time(summary.from_seconds)} to {as_time(summary.to_seconds)}. Evidently was given "
        f"{summary.sampled_rows:,} of them, and {summary.sampled_reference_rows:,} rows of the reference."
    )
    table = Table(box=None, pad_edge=False)
    for name in ("field", "group", "score", "chance", "verdict", "Evidently", "by"):
        table.add_column(name, justify="right" if name in ("score", "chance") else "left", no_wrap=True)
    for field in sorted(summary.fields, key=lambda field: field.statistic / max(field.noise, 0.1), reverse=True):
        ours = (f"{field.statistic:.3f}", f"{field.noise:.3f}", field.verdict)
        table.add_row(field.name, field.group, *ours, _evidently(field), field.evidently_method or "")
    console.print(table)


def _evidently(field: FieldSummary) -> str:
    """
    >>> size = FieldSummary("size", "number", "request", 0.3, 0.1, 0.1, "drift", 0.31234, "Wasserstein", 0.1, True)
    >>> _evidently(size)
    'drift (0.312)'
    """
    if field.evidently_drift is None:
        return f"not asked: {field.left_out}"
    score = "no score" if field.evidently_score is None else f"{field.evidently_score:.3f}"
    return f"{'drift' if field.evidently_drift else 'no_drift'} ({score})"
