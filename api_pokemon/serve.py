"""``api-pokemon serve``: one process that answers requests."""

from typing import Annotated

import typer

from api_pokemon.main import create_app
from api_pokemon.server import run


def serve(
    *,
    listener_fd: Annotated[
        int | None, typer.Option(hidden=True, help="Answer on this open socket instead of opening one.")
    ] = None,
    ready_fd: Annotated[
        int | None, typer.Option(hidden=True, help="Write a line here when requests are answered.")
    ] = None,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True, help="Stop when standard input closes.")] = False,
) -> None:
    """Answer requests from this process, without a supervisor.

    What `up` starts and keeps alive. Use it alone where something else supervises: a container, a systemd unit.

    Ends with exit status 78 where it cannot start as it is set up (a taken port, a damaged model), since starting it
    again would not help.
    """
    run(
        create_app,
        "port",
        beside="metrics_port",
        listener_fd=listener_fd,
        ready_fd=ready_fd,
        until_stdin_closes=until_stdin_closes,
    )
