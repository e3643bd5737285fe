"""``api-pokemon traffic``: a client to try the service with."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from itertools import islice
from random import Random
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api_pokemon.dex import load_dex
from api_pokemon.startup import read_settings, url_of
from api_pokemon.traffic.client import Client
from api_pokemon.traffic.player import Player, Tally
from api_pokemon.traffic.report import table_of
from api_pokemon.traffic.scenarios import SCENARIOS, Call

_PATH = "/predict/best-move"
_EXIT_INTERRUPTED = 130


def _known_scenario(name: str) -> str:
    if name not in SCENARIOS:
        raise typer.BadParameter(f"there is no scenario {name!r}; there is {', '.join(SCENARIOS)}")
    return name


def traffic(
    *,
    requests: Annotated[int, typer.Option(min=1, help="How many predictions to ask for.")] = 1000,
    rate: Annotated[
        float, typer.Option(min=0, help="Requests per second; 0: as fast as they are answered.", metavar="PER_SECOND")
    ] = 50.0,
    scenario: Annotated[
        str, typer.Option(callback=_known_scenario, help=f"What is asked: {', '.join(SCENARIOS)}.")
    ] = "uniform",
    seed: Annotated[int, typer.Option(help="The same seed asks the same questions.")] = 1,
    url: Annotated[str, typer.Option(help="The service; default: the one that the settings describe.")] = "",
    connections: Annotated[int, typer.Option(min=1, help="Connections to keep open at most.")] = 32,
    key: Annotated[
        str, typer.Option(envvar="API_POKEMON_KEY", help="API key, where the service asks for one.", show_default=False)
    ] = "",
) -> None:
    """Play a believable client against a running service.

    Asks for best moves at a steady rate and closes with a table: answers by status, latency, answers per second.
    A latency runs from the moment that the request was due, so that a stall of the service is charged in full.
    Ctrl-C prints the table of what was asked so far.

    Example: api-pokemon traffic --requests 1000 --rate 50 --scenario uniform --seed 1
    """
    console = Console(highlight=False)
    url = url or _own_url()
    pace = f"at {rate:g} per second" if rate else "as fast as they are answered"
    console.print(f"{requests:,} requests to {url} {pace} (scenario {scenario}, seed {seed})", soft_wrap=True)
    calls = islice(SCENARIOS[scenario](load_dex(), Random(seed)), requests)
    headers = {"X-API-Key": key} if key else {}
    tally = Tally()
    interrupted = False
    with _progress() as progress:
        bar = progress.add_task("traffic", total=requests)
        player = Player(tally, rate_per_second=rate, connections=connections, on_answer=lambda: progress.advance(bar))
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_play(player, calls, url=url, connections=connections, headers=headers))
        except KeyboardInterrupt:
            interrupted = True
    console.print(table_of(tally, wished_per_second=rate))
    if interrupted:
        raise typer.Exit(_EXIT_INTERRUPTED)
    if not tally.answers:
        raise typer.Exit(1)


async def _play(
    player: Player, calls: Iterable[Call], *, url: str, connections: int, headers: Mapping[str, str]
) -> None:
    client = Client(url, connections=connections, headers=headers)
    try:
        await client.check()
        await player.play(client, (_request(client, call) for call in calls))
    finally:
        client.close()


def _request(client: Client, call: Call) -> bytes:
    return client.request(_PATH, json.dumps(call.body()).encode(), {"Accept-Language": call.language})


def _own_url() -> str:
    settings = read_settings()
    return url_of(settings.host, settings.port)


def _progress() -> Progress:
    """A bar on a terminal, nothing in a file or a pipe."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.percentage:.0f} %"), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
