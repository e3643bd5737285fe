"""``api-pokemon account``: is every prediction that was answered in the log?"""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api_pokemon.errors import UnreachableError
from api_pokemon.monitoring import LogUnavailableError, OutboxState, StreamUnavailableError
from api_pokemon.monitoring.accounting import Balance, draw_up, draw_up_without_outbox
from api_pokemon.settings import Settings
from api_pokemon.startup import read_settings
from api_pokemon.stores import log_of, outboxes_of, stream_of

_WIDTH = 100
"""Where there is no terminal, so that the output does not depend on where it goes."""


def account(*, as_json: Annotated[bool, typer.Option("--json", help="Print it for programs.")] = False) -> None:
    """Print the balance: events accepted, logged, pending, and unaccounted for.

    Reads three sources that know nothing of each other: what each outbox has accepted, what it still holds, and how
    many rows the log has of it. Events that are on their way while it reads may count as both logged and pending;
    unaccounted are only those that an outbox let go as logged and that the log does not have, or has twice.

    An outbox whose file is not here, nor reported through Redis, is told by what the log has of it: the last event that
    it is known to have accepted, and how many the log lacks up to there.

    Ends with exit status 1 where events are unaccounted for, or a file of this machine cannot be read.
    """
    settings = read_settings()
    try:
        states = _outboxes(settings)
        log = log_of(settings)
        balances = [*draw_up(log, states), *draw_up_without_outbox(log, {state.writer for state in states})]
    except (LogUnavailableError, StreamUnavailableError) as error:
        raise UnreachableError(f"There is no balance to draw up: {error}") from error
    unreadable = outboxes_of(settings).unreadable()
    if as_json:
        account = [balance._asdict() for balance in balances]
        print(json.dumps({"outboxes": account, "unreadable": [str(path) for path in unreadable]}, indent=2))
    else:
        console = Console()
        if not console.is_terminal:
            console = Console(width=_WIDTH)
        console.print(_table(balances, unreadable))
        for path in unreadable:
            console.print(f"{path} cannot be read. What it held is unknown.", soft_wrap=True)
    if unreadable or any(balance.unaccounted for balance in balances):
        raise SystemExit(1)


def _outboxes(settings: Settings) -> Sequence[OutboxState]:
    with closing(stream_of(settings)) as stream:
        return stream.outboxes()


def _table(balances: Sequence[Balance], unreadable: Sequence[Path]) -> Table:
    table = Table(title="accepted = logged + pending", caption=_verdict(balances, unreadable), box=None, pad_edge=False)
    for name in ("outbox", "accepted", "logged", "pending", "unaccounted"):
        table.add_column(name, justify="left" if name == "outbox" else "right", no_wrap=True)
    for balance in balances:
        table.add_row(balance.writer, *(f"{number:,}" for number in balance[1:]))
    return table


def _verdict(balances: Sequence[Balance], unreadable: Sequence[Path]) -> str:
    if unreadable:
        return "It cannot be told whether it balances: not every outbox can be read."
    if not balances:
        return "No outbox yet: nothing was ever accepted."
    lost = sum(max(0, balance.unaccounted) for balance in balances)
    doubled = -sum(min(0, balance.unaccounted) for balance in balances)
    if lost or doubled:
        return f"It does not balance: {lost:,} lost, {doubled:,} counted twice."
    return "It balances."
