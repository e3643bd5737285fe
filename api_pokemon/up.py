"""``api-pokemon up``: the whole service on one machine, supervised."""

import asyncio
import os
import signal
import socket
import sys

from api_pokemon import __version__
from api_pokemon.startup import configure_logging, ensure_writable, listen, read_settings, url_of
from api_pokemon.supervisor import Child, Supervisor

_SERVE = "serve"
_EXAMPLE = '{"pokemon_a_id":1,"pokemon_b_id":25,"available_moves":["Surf"]}'
_WELCOME = """
api-pokemon {version} is up. Ctrl-C stops it.

  API      {url}
  Docs     {url}/docs
  Metrics  {url}/metrics
  Health   {url}/health

  curl -X POST {url}/predict/best-move -H "Content-Type: application/json" -d '{example}'
"""


def up() -> None:
    """Start the service and keep it running.

    Runs `api-pokemon serve` as a child process and starts it again if it dies, without losing a connection.
    Ctrl-C or SIGTERM stops everything within 5 seconds, after the answers to the requests that were accepted.

    Settings are environment variables: `API_POKEMON_PORT=9000 api-pokemon up`.
    """
    settings = read_settings()
    configure_logging(settings.log_level)
    ensure_writable(settings.data_dir)
    with listen(settings.host, settings.port) as listener:
        started = asyncio.run(_supervise(listener))
    if not started:
        raise SystemExit(1)  # the child has said why


def children(listener_fd: int, ready_fd: int) -> tuple[Child, ...]:
    """The programs that make the service.

    Parameters
    ----------
    listener_fd
        The listening socket. It is opened once and inherited, so that connections wait in its queue while a child that
        died is started again.
    ready_fd
        Where a child writes a line each time that it answers.
    """
    serve = (sys.executable, "-m", "api_pokemon", "serve", "--until-stdin-closes")
    return (
        Child(
            _SERVE,
            (*serve, "--listener-fd", str(listener_fd), "--ready-fd", str(ready_fd)),
            descriptors=(listener_fd, ready_fd),
        ),
    )


async def _supervise(listener: socket.socket) -> bool:
    ready, ready_fd = os.pipe()
    supervisor = Supervisor(children(listener.fileno(), ready_fd))
    loop = asyncio.get_running_loop()
    for number in _stop_signals():
        loop.add_signal_handler(number, supervisor.stop)
    welcomed = False

    def welcome() -> None:
        nonlocal welcomed
        os.read(ready, 1024)  # also after a restart, or the pipe would fill up
        supervisor.note_ready(_SERVE)
        if not welcomed:
            print(
                _WELCOME.format(version=__version__, url=url_of(*listener.getsockname()[:2]), example=_EXAMPLE),
                flush=True,
            )
        welcomed = True

    loop.add_reader(ready, welcome)
    return await supervisor.run()


def _stop_signals() -> list[signal.Signals]:
    """SIGHUP too, when the terminal closes, unless ``nohup`` asked to ignore that."""
    stays_on_hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM] if stays_on_hangup else [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
