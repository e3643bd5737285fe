"""How a process of the service answers requests, from its start to its orderly end."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import cast

import uvicorn
from starlette.applications import Starlette

from api_pokemon.admission import AdmittingProtocol
from api_pokemon.connections import look_at_all
from api_pokemon.errors import ModelError, StartError
from api_pokemon.garbage import give_back_what_is_free, spare_what_stays
from api_pokemon.lifeline import follow_parent
from api_pokemon.readiness import Readiness
from api_pokemon.routes.door import door_of
from api_pokemon.settings import Settings
from api_pokemon.startup import (
    EXIT_CANNOT_START,
    configure_logging,
    ensure_writable,
    open_listener,
    read_settings,
    url_of,
)
from api_pokemon.waiting import Waiting

logger = logging.getLogger(__name__)

_INTAKE_SECONDS = 1.8
"""Longest time, once the service is to stop, in which what clients have sent is still taken in."""

_NOTICE_SECONDS = 1.6
"""What is left at least to those who ask whether the process is ready, until they have noticed that it is not any more.
The gateway needs 0.7 s (`docker/gateway/haproxy.cfg`)."""

_LOOK_SECONDS = 0.02
_QUIET_LOOKS = 5
"""So many looks in a row without anything new end the intake. More than one, each a turn of the loop that reads what is
there: where the process got no CPU for a while, time alone would prove nothing."""

_TICKS_PER_LOOK = 10
"""Between two looks at the connections: a second, since uvicorn's loop ticks each tenth of one."""

_DRAIN_SECONDS = 2
"""Time after that for requests in flight; the supervisor allows 4.5 s for all of the shutdown."""

_KEEP_ALIVE_SECONDS = 65
"""Longer than clients and load balancers keep an idle connection, so that closing it is theirs, never a race."""


def run(
    create_app: Callable[[Settings], Starlette],
    port: str,
    *,
    beside: str | None = None,
    listener_fd: int | None = None,
    ready_fd: int | None = None,
    until_stdin_closes: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT, then answer what was accepted and return.

    Parameters
    ----------
    create_app
        Makes the application from the settings, with a door or without; its ``state.readiness``, if it has one, is
        told when it is to stop.
    port
        Name of the setting that holds its port.
    beside
        Name of the setting that may hold another one, for the same application; 0 is none.

    Raises
    ------
    SystemExit
        With status 78, after a line that says why, where it cannot start as it is set up.
    """
    if until_stdin_closes:
        follow_parent()
    try:
        settings = read_settings()
        configure_logging(settings)
        ensure_writable(settings.data_dir)
        listener = open_listener(settings, port) if listener_fd is None else socket.socket(fileno=listener_fd)
        others = [open_listener(settings, beside)] if beside and getattr(settings, beside) else []
        server = _Server(create_app(settings), listener, ready_fd)
    except (StartError, ModelError) as error:
        print(f"api-pokemon: {error}", file=sys.stderr)
        raise SystemExit(EXIT_CANNOT_START) from error
    spare_what_stays()
    give_back_what_is_free()
    server.run(sockets=[listener, *others])


class _Server(uvicorn.Server):
    """Uvicorn as this service wants it: no access log, one line when it answers."""

    def __init__(self, app: Starlette, listener: socket.socket, ready_fd: int | None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http=partial(AdmittingProtocol, door_of(app)),  # type: ignore[arg-type]  # uvicorn calls it as it would a class
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_DRAIN_SECONDS,
            )
        )
        self._readiness: Readiness = getattr(app.state, "readiness", Readiness())
        self._waiting = Waiting((), self._protocol)
        self._ready_fd = ready_fd
        self._url = url_of(*listener.getsockname()[:2])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._waiting = Waiting(sockets or (), self._protocol)
        logger.info("answering on %s (process %d)", self._url, os.getpid())
        if self._ready_fd is not None:
            os.write(self._ready_fd, b"ready\n")

    def _protocol(self) -> asyncio.Protocol:
        """As uvicorn makes it."""
        make = cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class)
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    async def on_tick(self, counter: int) -> bool:
        self._waiting.take_in()
        if counter % _TICKS_PER_LOOK == 0:
            look_at_all(self.server_state.connections)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logger.info("stopping, after the answers to what was accepted")
        await self._take_in()
        await super().shutdown(sockets)

    async def _take_in(self) -> None:
        """Accept and read until nothing new comes: closing at once would reset connections that hold requests."""
        state = self.server_state
        state.default_headers = [*state.default_headers, (b"connection", b"close")]  # or busy clients would stay
        self._readiness.stop()
        loop = asyncio.get_running_loop()
        noticed_seconds = loop.time() + (_NOTICE_SECONDS if self._readiness.is_watched else 0)
        end_seconds = loop.time() + _INTAKE_SECONDS
        seen: tuple[int, int, int] | None = None
        quiet_looks = 0
        while (quiet_looks < _QUIET_LOOKS or loop.time() < noticed_seconds) and loop.time() < end_seconds:
            if self.force_exit:
                break
            await asyncio.sleep(_LOOK_SECONDS)
            self._waiting.take_in()
            now = (state.total_requests, len(state.connections), len(state.tasks))
            quiet_looks = quiet_looks + 1 if now == seen else 0
            seen = now
