"""What is under fire: both deployments, each with what restarts what dies, and with proxies before its servers."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import Protocol
from urllib.request import urlopen

import psutil

from api_pokemon.monitoring import OutboxFolder
from benchmarks.chaos.disk import Disk, may_mount
from benchmarks.chaos.proxy import Proxy
from tests.integration.deployment import API_POKEMON, Deployment
from tests.servers import PostgresServer, RedisServer, Server, free_port, postgres_folder

TICK_SECONDS = 0.05
_RESTART_SECONDS = 0.5
_SETTINGS = {
    "API_POKEMON_OUTBOX_MAX_BYTES": str(16 << 20),  # so that its journal is small
    "API_POKEMON_DRIFT_REPORT_SECONDS": "0",  # on demand, while their disk is full
}
_DISK_MEGABYTES = {"outbox": 64, "log": 512, "reports": 64}


class Part(Protocol):
    """A process that may die or hang."""

    def kill(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Up(Server):
    """`api-pokemon up`, which restarts its two programs itself."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        super().__init__(folder)
        self._settings = settings

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        return [*API_POKEMON, "up"]

    def _environment(self) -> Mapping[str, str]:
        ports = {"API_POKEMON_PORT": str(self.port), "API_POKEMON_WORKER_PORT": str(free_port())}
        return {**self._settings, **ports}

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), urlopen(f"{self.url}/health/ready", timeout=5):
            return True
        return False

    def program(self, name: str) -> psutil.Process | None:
        """`serve` or `worker`, unless it is just being started again."""
        assert self._process
        for child in psutil.Process(self._process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if name in child.cmdline():
                    return child
        return None


class _ProgramOfUp:
    """One of the two programs of `api-pokemon up`."""

    def __init__(self, up: Up, name: str) -> None:
        self._up = up
        self._name = name

    def kill(self) -> None:
        self._each("kill")

    def pause(self) -> None:
        self._each("suspend")

    def resume(self) -> None:
        self._each("resume")

    def _each(self, act: str) -> None:
        program = self._up.program(self._name)
        if program:
            with contextlib.suppress(psutil.NoSuchProcess):
                getattr(program, act)()


class Site:
    """A deployment that runs, and all that can be done to it.

    Attributes
    ----------
    parts
        Processes by what they are.
    disks, proxies
        By what they are under, and before what they stand; no disks where nothing may be mounted.
    """

    def __init__(self, name: str, deployment: Deployment, ports: list[int], servers: list[Server]) -> None:
        self.name = name
        self.deployment = deployment
        self.ports = ports
        self.parts: dict[str, list[Part]] = {}
        self.disks: dict[str, Disk] = {}
        self.proxies: dict[str, Proxy] = {}
        self.outboxes = OutboxFolder(deployment.data_dir / "outbox")
        self._servers = servers
        self._restart_at: dict[Server, float] = {}

    def wait(self, seconds: float) -> None:
        """Let time go by, and start again what has died."""
        end_seconds = monotonic() + seconds
        while monotonic() < end_seconds:
            self._tend()
            sleep(TICK_SECONDS)

    def _tend(self) -> None:
        for server in self._servers:
            if server.is_running:
                self._restart_at.pop(server, None)
            elif monotonic() >= self._restart_at.setdefault(server, monotonic() + _RESTART_SECONDS):
                del self._restart_at[server]
                server.launch()


@contextlib.contextmanager
def embedded(folder: Path, seed: int, environment: Mapping[str, str]) -> Iterator[Site]:
    """`api-pokemon up` on SQLite files; the environment is that of what helps the run, and is not under fire."""
    with contextlib.ExitStack() as stack:
        deployment = Deployment(folder, apis=0, workers=0, settings=_SETTINGS)
        disks = _disks(stack, deployment, log=deployment.data_dir)
        up = Up(folder / "up", deployment.settings)
        site = Site("embedded", deployment, [up.port], [up])
        site.disks = disks
        site.parts = {"API": [_ProgramOfUp(up, "serve")], "worker": [_ProgramOfUp(up, "worker")]}
        _start(stack, [up])
        yield site


@contextlib.contextmanager
def stack(folder: Path, seed: int, environment: Mapping[str, str]) -> Iterator[Site]:
    """Two API processes and two workers on Redis and PostgreSQL, a proxy before each of these; as for `embedded`."""
    with contextlib.ExitStack() as stack:
        data = stack.enter_context(postgres_folder())
        redis, postgres = RedisServer(folder / "redis"), PostgresServer(data)
        proxies = {
            "Redis": stack.enter_context(Proxy(redis.port, seed, environment)),
            "PostgreSQL": stack.enter_context(Proxy(postgres.port, seed, environment)),
        }
        settings = {
            **_SETTINGS,
            "API_POKEMON_STREAM_URL": redis.url.replace(str(redis.port), str(proxies["Redis"].port)),
            "API_POKEMON_LOG_URL": postgres.url.replace(str(postgres.port), str(proxies["PostgreSQL"].port)),
        }
        deployment = Deployment(folder, apis=2, workers=2, redis=redis, postgres=postgres, settings=settings)
        disks = _disks(stack, deployment, log=data)
        servers = [redis, postgres, *deployment.apis, *deployment.workers]
        site = Site("stack", deployment, deployment.ports, servers)
        site.disks, site.proxies = disks, proxies
        site.parts = {
            "API": [*deployment.apis],
            "worker": [*deployment.workers],
            "Redis": [redis],
            "PostgreSQL": [postgres],
        }
        _start(stack, servers)
        yield site


SITES = {"embedded": embedded, "stack": stack}


def _disks(stack: contextlib.ExitStack, deployment: Deployment, log: Path) -> dict[str, Disk]:
    if not may_mount():
        return {}
    folders = {
        "log": log,
        "outbox": deployment.data_dir / "outbox",
        "reports": deployment.data_dir / "reports",
    }
    return {name: stack.enter_context(Disk(path).mounted(_DISK_MEGABYTES[name])) for name, path in folders.items()}


def _start(stack: contextlib.ExitStack, servers: list[Server]) -> None:
    for server in servers:
        stack.callback(server.stop)
        server.launch()
    for server in servers:
        server.wait_until_it_answers()
