"""``api-pokemon validate``: does the running stack do what it should?"""

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from api_pokemon.stack.composed import ComposeVariables
from api_pokemon.stack.running import RunningStack, running_stack
from api_pokemon.stack.validate_criteria import Criterion, Finding, criteria
from api_pokemon.stack.validate_recap import write_recap
from api_pokemon.stack.validate_site import Site, Urls
from api_pokemon.startup import read_settings, read_variables

_EXIT_INTERRUPTED = 130
_WIDTH = 120
"""Where there is no terminal, so that the output does not depend on where it goes."""

_Url = Annotated[str | None, typer.Option(show_default="where the stack says, or as docker-compose.yml has it")]


def validate(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    recap: Annotated[bool, typer.Option(help="Also write the table into MONITORING_RECAP.md.")] = False,
    wait_seconds: Annotated[
        float, typer.Option("--wait", min=0, help="Seconds that each criterion may take to become true.")
    ] = 30.0,
    api: _Url = None,
    prometheus: _Url = None,
    alertmanager: _Url = None,
    grafana: Annotated[str | None, typer.Option(help="Its login is admin, with GRAFANA_ADMIN_PASSWORD.")] = None,
) -> None:
    """Walk through the running stack, and print what of it works, with proof.

    Asks the API, the worker, Prometheus, Alertmanager and Grafana, makes 101 predictions, and follows a hundred of them
    into Prometheus, into the prediction log and into the account. Nothing is broken on the way; the predictions stay
    on record.

    Looks at the stack of `make stack` that runs on the data folder, or else at that of `docker compose up`: at the
    ports, and with Grafana's password, that Compose has from the environment or from `.env` beside docker-compose.yml.
    Where the API wants a key, it takes `API_POKEMON_KEY`. Takes about half a minute, since it waits for scrapes.

    Ends with exit status 1 where a criterion is not met. What cannot be judged is skipped, and says why.
    """
    stack = running_stack(read_settings().data_dir)
    composed = read_variables(ComposeVariables)
    given = {"api": api, "prometheus": prometheus, "alertmanager": alertmanager, "grafana": grafana}
    urls = _urls(stack, composed, given)
    with Site(
        urls,
        key=os.environ.get("API_POKEMON_KEY", ""),
        grafana_login=("admin", composed.grafana_admin_password),
        speedup=stack.speedup if stack else 1.0,
        patience_seconds=wait_seconds,
    ) as site:
        findings, interrupted = _walk(criteria(site))
    what = f"the stack {'without' if stack else 'in'} containers, with its API at {urls.api}"
    if as_json:
        document = {"stack": urls._asdict(), "findings": [finding._asdict() for finding in findings]}
        print(json.dumps(document, indent=2))
    else:
        _console().print(_table_of(findings, what))
    if interrupted:
        raise typer.Exit(_EXIT_INTERRUPTED)
    if recap:
        write_recap(findings, what)
    if any(finding.status == "failed" for finding in findings):
        raise typer.Exit(1)


def _urls(stack: RunningStack | None, composed: ComposeVariables, given: dict[str, str | None]) -> Urls:
    found = Urls(stack.api, stack.prometheus, stack.alertmanager, stack.worker) if stack else composed.urls
    return found._replace(**{name: url.rstrip("/") for name, url in given.items() if url})


def _walk(what: Iterable[Criterion]) -> tuple[list[Finding], bool]:
    """Judge each criterion, and tell of it; the findings so far, and whether Ctrl-C ended it."""
    progress = Console(stderr=True, highlight=False)
    findings: list[Finding] = []
    try:
        for criterion in what:
            name = f"{criterion.name} …"
            if not progress.is_terminal:
                progress.print(name)
            with progress.status(name) if progress.is_terminal else nullcontext():
                findings.append(criterion.find())
    except KeyboardInterrupt:
        return findings, True
    return findings, False


def _table_of(findings: Sequence[Finding], what: str) -> Table:
    failed = sum(finding.status == "failed" for finding in findings)
    verdict = f"{failed} of {len(findings)} criteria are not met." if failed else "Accepted."
    table = Table(Column("criterion", no_wrap=True), "status", "proof", title=what, caption=verdict)
    for finding in findings:
        table.add_row(*finding)
    return table


def _console() -> Console:
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=_WIDTH)
