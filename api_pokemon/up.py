"""``api-pokemon up``: the whole service on one machine, supervised."""

import asyncio
import signal
import socket
import sys
from urllib.parse import urlsplit

from api_pokemon import __version__
from api_pokemon.startup import configure_logging, ensure_writable, listen, read_settings, url_of
from api_pokemon.supervisor import Child, Supervisor

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


def children(listener: socket.socket) -> tuple[Child, ...]:
    """The programs that make the service.

    The listening socket is opened here and inherited, so that connections wait in its queue while a child that died
    is started again.
    """
    api_pokemon = (sys.executable, "-m", "api_pokemon")
    fd = listener.fileno()
    return (
        Child(
            "serve",
            (*api_pokemon, "serve", "--listener-fd", str(fd), "--until-stdin-closes"),
            descriptors=(fd,),
        ),
    )


async def _supervise(listener: socket.socket) -> bool:
    supervisor = Supervisor(children(listener))
    loop = asyncio.get_running_loop()
    for number in _stop_signals():
        loop.add_signal_handler(number, supervisor.stop)
    welcome = asyncio.create_task(_welcome(url_of(*listener.getsockname()[:2])))
    try:
        return await supervisor.run()
    finally:
        welcome.cancel()


def _stop_signals() -> list[signal.Signals]:
    """SIGHUP too, when the terminal closes, unless ``nohup`` asked to ignore that."""
    stays_on_hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM] if stays_on_hangup else [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


async def _welcome(url: str) -> None:
    """Print where the service is once it answers; until then the connection waits in the listener's queue."""
    while not await _answers(url):
        pass
    print(_WELCOME.format(version=__version__, url=url, example=_EXAMPLE), flush=True)


async def _answers(url: str) -> bool:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(f"GET /health/live HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n".encode())
        return bool(await reader.readline())
    except ConnectionError:  # accepted by a process that died before it answered
        return False
    finally:
        writer.close()
