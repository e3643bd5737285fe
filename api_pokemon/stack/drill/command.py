"""``api-pokemon drill``: do the alerts fire, are they delivered, and do they end?"""

import difflib
import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Column, Table

from api_pokemon.errors import StartError, UnreachableError
from api_pokemon.settings import Settings
from api_pokemon.stack.deliveries import Delivery
from api_pokemon.stack.drill.causing import Causes
from api_pokemon.stack.drill.drilling import Drilling, Result
from api_pokemon.stack.drill.mending import mend
from api_pokemon.stack.drill.recipes import RECIPES, FaultOn, Process, Recipe
from api_pokemon.stack.drill.site import Native, Site, Urls
from api_pokemon.stack.drill.traffic import Traffic
from api_pokemon.stack.drill.watching import Watching
from api_pokemon.stack.prometheus import PrometheusClient
from api_pokemon.stack.running import RunningStack, holding, need_running_stack, prometheus_folder, stack_folder
from api_pokemon.startup import ADMIN_KEY_FILE, read_settings

_EXIT_INTERRUPTED = 130
_LIMIT_SECONDS = 900.0
_LIMIT_AT_ANY_SPEED_SECONDS = 120.0
"""The threshold of some alerts is a time, which stays as it is in a stack that was sped up."""


def _url(of: str) -> Any:
    return typer.Option(metavar="URL", help=f"Of {of}.", show_default="that of the running stack")


def drill(
    alerts: Annotated[list[str] | None, typer.Argument(metavar="ALERT", help="Such as HighErrorRate.")] = None,
    *,
    all_alerts: Annotated[bool, typer.Option("--all", help="All alerts there are.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    limit_seconds: Annotated[
        float | None,
        typer.Option(min=1, help="Most time to fire, to be delivered, and to end, each.", show_default="1020"),
    ] = None,
    api: Annotated[str | None, _url("the API")] = None,
    worker: Annotated[str | None, _url("the worker")] = None,
    prometheus: Annotated[str | None, _url("Prometheus")] = None,
    deliveries: Annotated[str | None, _url("the receiver of Alertmanager's webhook")] = None,
) -> None:
    """Cause alerts for real, and watch them fire, be delivered, and end.

    Breaks the running service on purpose, sends it a little traffic, and watches Prometheus and the receiver of
    Alertmanager's deliveries. Callers do notice, and what is predicted meanwhile is on record. The service must allow
    it: `API_POKEMON_FAULTS=true make stack`. Without an alert, lists what each of them takes.

    Alerts that do not disturb each other are drilled together; all of them take about half an hour, since rules look
    back over minutes. `api-pokemon stack --speedup 60` makes that two minutes, to try it.

    Nothing stays broken, whatever ends the drill: faults end by themselves, and what was stopped goes on. Should the
    watchdogs that see to it be killed along with the drill, the next one puts right what they left. Exit status 1 where
    an alert did not fire, was not delivered or did not end. The admin key is that of the data folder, or
    `API_POKEMON_KEY`.

    Drills a stack of `make stack`. That of `docker compose up` cannot be drilled as it is: it publishes no port of the
    worker, and has no receiver of deliveries. With the URLs of all four, another stack is drilled; what takes its
    processes or files is then not possible, and told so.

    Examples: api-pokemon drill HighErrorRate APIDown; api-pokemon drill --all --json
    """
    console = Console(highlight=False)
    if not alerts and not all_alerts:
        console.print(_table_of_recipes())
        return
    recipes = _chosen(alerts or [], all_alerts=all_alerts)
    settings = read_settings()
    given = {"api": api, "worker": worker, "prometheus": prometheus, "deliveries": deliveries}
    stack = None if all(given.values()) else need_running_stack(settings.data_dir)
    found = {name: url or getattr(stack, name) for name, url in given.items()}
    urls = Urls(**found, metrics=stack.metrics if stack and not api else found["api"])
    limit_seconds = limit_seconds or _LIMIT_AT_ANY_SPEED_SECONDS + _LIMIT_SECONDS / (stack.speedup if stack else 1)
    with holding(settings.data_dir) if stack else nullcontext():
        results, others, interrupted = _drill(recipes, settings, urls, stack, limit_seconds)
    if as_json:
        console.print_json(json.dumps([result._asdict() for result in results]))
    else:
        console.print(_table_of(results))
        if others:
            console.print(f"Also fired: {', '.join(others)}.")
    if interrupted:
        raise typer.Exit(_EXIT_INTERRUPTED)
    if any(result.problem for result in results):
        raise typer.Exit(1)


def _chosen(names: Sequence[str], *, all_alerts: bool) -> list[Recipe]:
    known = [recipe.alert for recipe in RECIPES]
    for name in names:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known
            raise StartError(f"There is no alert {name!r} to drill. Did you mean {', '.join(nearest)}?")
    return [recipe for recipe in RECIPES if all_alerts or recipe.alert in names]


def _drill(
    recipes: Sequence[Recipe], settings: Settings, urls: Urls, stack: RunningStack | None, limit_seconds: float
) -> tuple[list[Result], list[str], bool]:
    key = _admin_key(settings)
    native = Native(stack, prometheus_folder(stack_folder(settings.data_dir))) if stack else None
    progress = Console(stderr=True, highlight=False)
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    interrupted = False
    with (
        _mended(native, progress.print),
        Site(urls, key, native) as site,
        PrometheusClient(urls.prometheus) as client,
    ):
        _ensure_allowed(site, recipes)
        with Causes(site, progress.print) as causes, Traffic(urls.api, key):
            drilling = Drilling(
                recipes,
                causes,
                Watching(client, lambda: read_deliveries(urls.deliveries)),
                limit_seconds=limit_seconds,
                tell=progress.print,
            )
            try:
                drilling.run()
            except KeyboardInterrupt:
                interrupted = True
                progress.print("Interrupted; putting everything back.")
    return drilling.results(), drilling.also_fired(), interrupted


@contextmanager
def _mended(native: Native | None, tell: Callable[[str], None]) -> Iterator[None]:
    """Undo what an earlier drill has left, and in the end what this one has: watchdogs may be killed, too."""
    try:
        for done in mend(native) if native else ():
            tell(f"Left by an earlier drill: {done}.")
        yield
    finally:
        for done in mend(native) if native else ():
            tell(f"A watchdog was killed: {done}.")


def _as_ctrl_c(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _admin_key(settings: Settings) -> str:
    if key := os.environ.get("API_POKEMON_KEY"):
        return key
    path = settings.data_dir / ADMIN_KEY_FILE
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise StartError(
            f"No admin key can be read from {path.absolute()} ({error.strerror}). Set API_POKEMON_KEY to one."
        ) from error


def _ensure_allowed(site: Site, recipes: Iterable[Recipe]) -> None:
    """Say so at once where the service lets nobody break it; what is done from outside needs its leave too."""
    causes = (cause for recipe in recipes for way in recipe.ways for cause in way.causes)
    processes: set[Process] = {"api", *(cause.process for cause in causes if isinstance(cause, FaultOn))}
    for process in sorted(processes):
        site.faults(process)


def read_deliveries(url: str) -> list[Delivery]:
    """What a receiver of deliveries has got so far.

    Raises
    ------
    UnreachableError
        It does not answer.
    """
    try:
        answer = httpx.get(f"{url}/deliveries", timeout=10, trust_env=False)
        answer.raise_for_status()
        return [Delivery(**delivery) for delivery in answer.json()]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError) as error:
        raise UnreachableError(f"No receiver of deliveries answers at {url} ({error}).") from error


def _table_of_recipes() -> Table:
    table = Table(Column("alert", no_wrap=True), "how it is caused")
    for recipe in RECIPES:
        table.add_row(recipe.alert, "; or else: ".join(way.text for way in recipe.ways))
    return table


def _table_of(results: Iterable[Result]) -> Table:
    table = Table(Column("alert", no_wrap=True), "cause", "fired", "delivered", "over", "result")
    for result in results:
        times = (result.fired_seconds, result.delivered_seconds, result.resolved_seconds)
        table.add_row(result.alert, result.cause, *map(_seconds, times), _verdict(result))
    table.caption = (
        "fired, delivered: seconds since the cause; over: from the cause's end to the delivery of the alert's end"
    )
    return table


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} s"


def _verdict(result: Result) -> str:
    return result.problem or ("delivery only" if result.delivery_only else "proven")
