"""``api-pokemon up``: the whole service on one machine, supervised."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from api_pokemon import __version__
from api_pokemon.errors import StartError
from api_pokemon.settings import Settings
from api_pokemon.startup import (
    configure_logging,
    ensure_writable,
    listen,
    on_port,
    open_listener,
    read_settings,
    url_of,
)
from api_pokemon.supervisor import Child, Supervisor

_EXAMPLE = '{"pokemon_a_id":1,"pokemon_b_id":25,"available_moves":["Surf"]}'
_WELCOME = """
api-pokemon {version} is up. Ctrl-C stops it.

  API      {api}
  Docs     {api}/docs
  Metrics  {metrics}/metrics
  Health   {api}/health
  Worker   {worker}/metrics

  curl -X POST {api}/predict/best-move -H "Content-Type: application/json" -d '{example}'
"""


def up() -> None:
    """Start the service and keep it running.

    Runs `api-pokemon serve`, which answers requests, and `api-pokemon worker`, which carries predictions into the log,
    and starts either again if it dies, without losing a connection or a prediction. Ctrl-C or SIGTERM stops everything
    within 5 seconds, after the answers to the requests that were accepted.

    Settings are environment variables: `API_POKEMON_PORT=9000 api-pokemon up`.
    """
    settings = read_settings()
    configure_logging(settings)
    ensure_writable(settings.data_dir)
    with open_listeners(settings) as listeners:
        started = asyncio.run(_supervise(listeners, settings.metrics_port))
    if not started:
        raise SystemExit(1)  # the child has said why


@contextmanager
def open_listeners(settings: Settings) -> Iterator[dict[str, socket.socket]]:
    """The sockets of `serve` and `worker`, by these names.

    Raises
    ------
    StartError
        One cannot be had.
    """
    with ExitStack() as sockets:
        yield {
            "serve": sockets.enter_context(open_listener(settings, "port")),
            "worker": sockets.enter_context(_worker_listener(settings)),
        }


def _worker_listener(settings: Settings) -> socket.socket:
    """Where nobody has asked for that port, a second service on this machine just takes another one."""
    try:
        return open_listener(settings, "worker_port")
    except StartError:
        if "worker_port" in settings.model_fields_set:
            raise
        return listen(settings.host, 0, "API_POKEMON_WORKER_PORT")


def child(name: str, listener_fd: int, ready_fd: int, after: str | None) -> Child:
    """A program of the service.

    Parameters
    ----------
    name
        Its command.
    listener_fd
        Its listening socket. It is opened once and inherited, so that connections wait in its queue while a child that
        died is started again.
    ready_fd
        Where it writes a line each time that it answers.
    after
        The one that is started first.
    """
    command = (sys.executable, "-m", "api_pokemon", name, "--until-stdin-closes")
    descriptors = ("--listener-fd", str(listener_fd), "--ready-fd", str(ready_fd))
    return Child(name, command + descriptors, descriptors=(listener_fd, ready_fd), after=after)


class ServiceChildren:
    """`serve` and `worker`, to be kept running by a supervisor.

    Parameters
    ----------
    listeners
        Their sockets, by their names; one is started after the other.
    """

    def __init__(self, listeners: Mapping[str, socket.socket]) -> None:
        self._pipes = {name: os.pipe() for name in listeners}
        self.children = [
            child(name, listeners[name].fileno(), self._pipes[name][1], before)
            for name, before in zip(listeners, (None, *listeners), strict=False)
        ]

    def report(self, note_ready: Callable[[str], None]) -> None:
        """From now on, tell each time that one of them has come up; in the loop that runs."""
        loop = asyncio.get_running_loop()

        def read(name: str) -> None:
            os.read(self._pipes[name][0], 1024)  # also after a restart, or the pipe would fill up
            note_ready(name)

        for name, (ready, _) in self._pipes.items():
            loop.add_reader(ready, read, name)


async def _supervise(listeners: Mapping[str, socket.socket], metrics_port: int) -> bool:
    service = ServiceChildren(listeners)
    supervisor = Supervisor(service.children)
    stop_on_signals(supervisor)
    awaited = set(listeners)

    def note_ready(name: str) -> None:
        supervisor.note_ready(name)
        if awaited == {name}:
            _welcome(listeners, metrics_port)
        awaited.discard(name)

    service.report(note_ready)
    return await supervisor.run()


def stop_on_signals(supervisor: Supervisor) -> None:
    """Let whatever usually ends a program stop the supervisor; in the loop that runs."""
    for number in _stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, supervisor.stop)


def _welcome(listeners: Mapping[str, socket.socket], metrics_port: int) -> None:
    api, worker = (url_of(*listeners[name].getsockname()[:2]) for name in ("serve", "worker"))
    metrics = on_port(api, metrics_port) if metrics_port else api
    print(_WELCOME.format(version=__version__, api=api, metrics=metrics, worker=worker, example=_EXAMPLE), flush=True)


def _stop_signals() -> list[signal.Signals]:
    """SIGHUP too, when the terminal closes, unless ``nohup`` asked to ignore that."""
    stays_on_hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM] if stays_on_hangup else [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
