"""``api-pokemon stack``: the service and all that watches it on one machine, without containers."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated, NamedTuple

import psutil
import typer

from api_pokemon import __version__
from api_pokemon.errors import StartError
from api_pokemon.settings import Settings
from api_pokemon.stack import programs
from api_pokemon.stack.configuration import Pace, write_alertmanager, write_prometheus
from api_pokemon.stack.deliveries import Delivery, DeliveryReceiver
from api_pokemon.stack.programs import Program
from api_pokemon.stack.running import RunningStack, announced, prometheus_folder, running_stack, stack_folder
from api_pokemon.startup import (
    ADMIN_KEY_FILE,
    configure_logging,
    ensure_writable,
    listen,
    on_port,
    read_settings,
    url_of,
)
from api_pokemon.supervisor import Supervisor
from api_pokemon.up import ServiceChildren, open_listeners, stop_on_signals

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.1
_LOOKS_BEFORE_WORDS = 100

_CHAT_SECRETS = ("slack_webhook_url", "discord_webhook_url")
_OWN_SECRET = "alert_webhook_url"  # noqa: S105 -- the name of a file

_WELCOME = """
api-pokemon {version} is up, and watched. Ctrl-C stops all of it.

  API            {stack.api}/docs
  Worker         {stack.worker}/metrics
  Prometheus     {stack.prometheus}/alerts
  Alertmanager   {stack.alertmanager}
  node-exporter  {stack.node_exporter}/metrics
  Deliveries     {stack.deliveries}/deliveries   what Alertmanager delivers is told here too
  Chat           {chat}
  Logs           {logs}

  See it move: .venv/bin/api-pokemon traffic --url {stack.api}
"""


class Ports(NamedTuple):
    """Where the programs beside the service listen, on 127.0.0.1."""

    prometheus: int = 9090
    alertmanager: int = 9093
    node_exporter: int = 9100
    deliveries: int = 9099


_DEFAULTS = Ports()
_Port = Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")]


def stack(
    *,
    prometheus_port: _Port = _DEFAULTS.prometheus,
    alertmanager_port: _Port = _DEFAULTS.alertmanager,
    node_exporter_port: _Port = _DEFAULTS.node_exporter,
    deliveries_port: _Port = _DEFAULTS.deliveries,
    secrets: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder with a file slack_webhook_url or discord_webhook_url, or both: alerts go there too.",
        ),
    ] = None,
    speedup: Annotated[
        float,
        typer.Option(min=1, help="Divide what rules and routes wait by this: 60 makes minutes seconds, for trying."),
    ] = 1.0,
) -> None:
    """Start the service with Prometheus, Alertmanager and node-exporter, natively.

    Does what `up` does, and runs the three programs beside it, on the configuration files of the containers in
    `docker/`, with the addresses of this machine. Alerts are printed here as Alertmanager delivers them. Ctrl-C or
    SIGTERM stops everything.

    Needs a checkout of the repository, and the programs: on Debian or Ubuntu,
    `sudo apt-get install prometheus prometheus-alertmanager prometheus-node-exporter`.

    What they store, and their logs, are in the folder `stack` of the data folder; `stack.json` beside it tells other
    commands where everything listens.
    """
    settings = read_settings()
    configure_logging(settings)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # or it tells of each look whether a program is ready
    ensure_writable(settings.data_dir)
    if other := running_stack(settings.data_dir):
        raise StartError(
            f"A stack runs on the data folder {settings.data_dir.absolute()} already (process {other.pid}). "
            "Stop it, or set API_POKEMON_DATA_DIR to another folder."
        )
    ports = Ports(prometheus_port, alertmanager_port, node_exporter_port, deliveries_port)
    needed = programs.find_programs()
    folder = stack_folder(settings.data_dir)
    with open_listeners(settings) as listeners, _receiver(ports) as receiver:
        running = _running(listeners, settings.metrics_port, ports, speedup)
        configuration = _prometheus_configuration(settings, folder, running)
        beside = _programs(needed, folder, configuration, running, ports, _secrets(folder, secrets, receiver.url))
        with announced(running, settings.data_dir):
            started = asyncio.run(_supervise(listeners, beside, folder, lambda: _welcome(running, folder, secrets)))
    if not started:
        raise SystemExit(1)  # it was said why


def _tell(delivery: Delivery) -> None:
    print(delivery, flush=True)


def _receiver(ports: Ports) -> DeliveryReceiver:
    """Say so in one line where a port is taken, also by another of ours, before anything is started."""
    with ExitStack() as sockets:
        for name, port in ports._asdict().items():
            sockets.enter_context(listen("127.0.0.1", port, f"--{name.replace('_', '-')}-port"))
    return DeliveryReceiver(ports.deliveries, _tell)


def _running(listeners: Mapping[str, socket.socket], metrics_port: int, ports: Ports, speedup: float) -> RunningStack:
    api, worker = (url_of(*listeners[name].getsockname()[:2]) for name in ("serve", "worker"))
    metrics = on_port(api, metrics_port) if metrics_port else api
    others = (f"http://127.0.0.1:{port}" for port in ports)
    return RunningStack(os.getpid(), psutil.Process().create_time(), speedup, api, metrics, worker, *others)


def _secrets(folder: Path, given: Path | None, webhook_url: str) -> Path:
    """The folder of secrets for this run: those for chats as given, and ours as the plain webhook."""
    own = folder / "secrets"
    own.mkdir(parents=True, exist_ok=True)
    for name in _CHAT_SECRETS:
        (own / name).unlink(missing_ok=True)
        if given and (given / name).exists():
            (own / name).symlink_to((given / name).absolute())
    (own / _OWN_SECRET).write_text(webhook_url + "\n")
    return own


def _prometheus_configuration(settings: Settings, folder: Path, running: RunningStack) -> Path:
    addresses = {
        "api": running.metrics,
        "worker": running.worker,
        "prometheus": running.prometheus,
        "node": running.node_exporter,
        "alertmanager": running.alertmanager,
    }
    targets = {job: [url.partition("://")[2]] for job, url in addresses.items()}
    # What runs here is one user's, and reads the admin key as well as any other.
    key = settings.data_dir / ADMIN_KEY_FILE if settings.metrics_protected else None
    return write_prometheus(prometheus_folder(folder), targets, pace=Pace(running.speedup), metrics_key=key)


def _programs(
    needed: programs.Programs, folder: Path, configuration: Path, running: RunningStack, ports: Ports, secrets: Path
) -> list[Program]:
    for log in folder.glob("*.log"):  # of the run before
        log.unlink()
    start = write_alertmanager(folder / "alertmanager", pace=Pace(running.speedup))
    return [
        programs.prometheus(
            needed.prometheus, configuration, folder / "prometheus-data", ports.prometheus, running.speedup
        ),
        programs.alertmanager(start, secrets, folder / "alertmanager-data", ports.alertmanager),
        programs.node_exporter(needed.node_exporter, ports.node_exporter),
    ]


async def _supervise(
    listeners: Mapping[str, socket.socket], beside: Sequence[Program], logs: Path, welcome: Callable[[], None]
) -> bool:
    service = ServiceChildren(listeners)
    children = [*service.children, *(program.child(logs, after="worker") for program in beside)]
    supervisor = Supervisor(children)
    stop_on_signals(supervisor)
    awaited = {child.name for child in children}

    def note_ready(name: str) -> None:
        supervisor.note_ready(name)
        if awaited == {name}:
            welcome()
        awaited.discard(name)

    service.report(note_ready)
    looking = [asyncio.create_task(_look(program, note_ready)) for program in beside]
    try:
        return await supervisor.run()
    finally:
        for task in looking:
            task.cancel()


async def _look(program: Program, note_ready: Callable[[str], None]) -> None:
    """Look whether a program is ready, until it is."""
    looks = 0
    while not await asyncio.to_thread(program.is_ready):
        looks += 1
        if looks % _LOOKS_BEFORE_WORDS == 0:
            logger.info("still waiting for %s", program.name)
        await asyncio.sleep(_LOOK_SECONDS)
    note_ready(program.name)


def _welcome(running: RunningStack, logs: Path, secrets: Path | None) -> None:
    on = [name.partition("_")[0] for name in _CHAT_SECRETS if secrets and _is_given(secrets / name)]
    chat = " and ".join(on) or "off; see --secrets in api-pokemon stack --help"
    print(_WELCOME.format(version=__version__, stack=running, chat=chat, logs=f"{logs}/*.log"), flush=True)


def _is_given(secret: Path) -> bool:
    with suppress(OSError):
        return bool(secret.read_text().strip())
    return False
