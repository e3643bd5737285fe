"""The programs as they are deployed: one of each on SQLite, or several on Redis and PostgreSQL."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import psutil
import psycopg

from api_pokemon.monitoring import OutboxFolder
from tests.integration.load import Load
from tests.servers import PostgresServer, RedisServer, Server, postgres_folder, wait_until

API_POKEMON = (sys.executable, "-m", "api_pokemon")
DRAIN_SECONDS = 90
LOOK_SECONDS = 1
"""Between two starts of a command, each of which takes as long of a CPU."""


class Program(Server):
    """`api-pokemon serve` or `api-pokemon worker`, under nobody's supervision but the test's.

    Parameters
    ----------
    folder
        Where it writes its log.
    command
        Which of them.
    settings
        What it gets as its environment, beside its port.
    """

    def __init__(self, folder: Path, command: str, settings: Mapping[str, str]) -> None:
        super().__init__(folder)
        self._name = command
        self._settings = settings

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        return [*API_POKEMON, self._name]

    def _environment(self) -> Mapping[str, str]:
        port = "API_POKEMON_PORT" if self._name == "serve" else "API_POKEMON_WORKER_PORT"
        return {**self._settings, port: str(self.port)}

    def _processes(self) -> list[psutil.Process]:
        """The program alone: whom it has started must look after themselves when it is killed."""
        return super()._processes()[:1]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/health/live", timeout=5):
            return True
        return False

    def metrics(self) -> str:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:
            return str(answer.read().decode())


class Deployment:
    """Everything that runs: the programs, and the servers that they use.

    Parameters
    ----------
    folder
        For all that the programs write.
    apis, workers
        How many of each.
    redis, postgres
        What carries and what keeps the events; without them it is files.
    settings
        Further ones, for all programs.
    """

    def __init__(
        self,
        folder: Path,
        *,
        apis: int = 1,
        workers: int = 1,
        redis: RedisServer | None = None,
        postgres: PostgresServer | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.redis = redis
        self.postgres = postgres
        self.data_dir = folder / "data"
        self.settings = {
            "API_POKEMON_DATA_DIR": str(self.data_dir),
            "API_POKEMON_TABLEBASE": "false",
            "API_POKEMON_STREAM_URL": redis.url if redis else "",
            "API_POKEMON_LOG_URL": postgres.url if postgres else "",
            **settings,
        }
        self.apis = [Program(folder / f"serve-{number}", "serve", self.settings) for number in range(apis)]
        self.workers = [Program(folder / f"worker-{number}", "worker", self.settings) for number in range(workers)]

    @property
    def ports(self) -> list[int]:
        """Where to ask."""
        return [api.port for api in self.apis]

    @property
    def kinds(self) -> dict[str, list[Server]]:
        """All that may die, by what it is."""
        kinds: dict[str, list[Server]] = {"api": [*self.apis], "worker": [*self.workers]}
        if self.redis:
            kinds["redis"] = [self.redis]
        if self.postgres:
            kinds["postgres"] = [self.postgres]
        return kinds

    @contextlib.contextmanager
    def running(self) -> Iterator["Deployment"]:
        servers = [server for kind in reversed(self.kinds.values()) for server in kind]
        with contextlib.ExitStack() as stack:
            for server in servers:
                stack.callback(server.stop)
                server.launch()
            for server in servers:
                server.wait_until_it_answers()
            yield self

    def wait_until_drained(self) -> None:
        """Return once every outbox is empty: all that was accepted is logged, and known to be."""
        folder = OutboxFolder(self.data_dir / "outbox")

        def is_drained() -> bool:
            states = folder.states()
            return len(states) == len(folder.paths()) > 0 and not any(state.pending for state in states)

        wait_until(is_drained, "the outboxes are empty", DRAIN_SECONDS)

    def logged(self) -> list[UUID]:
        """The id of each row of the prediction log, read without any code of ours."""
        if self.postgres:
            with psycopg.connect(self.postgres.url) as connection:
                return [number for (number,) in connection.execute("select id from predictions")]
        with contextlib.closing(sqlite3.connect(self.data_dir / "log.sqlite")) as file:
            return [UUID(text) for (text,) in file.execute("select id from predictions")]

    def balances(self) -> list[dict[str, int]]:
        """What ``api-pokemon account`` tells."""
        return list(self.told("account")["outboxes"])

    def told(self, *command: str) -> Any:
        """What a command prints as JSON; it must end well."""
        told = subprocess.run(
            [*API_POKEMON, *command, "--json"],
            env={**os.environ, **self.settings},
            cwd=self.data_dir,
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 0, told.stdout + told.stderr
        return json.loads(told.stdout)


@contextlib.contextmanager
def embedded(folder: Path, settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[Deployment]:
    """One API process and one worker on SQLite files, as ``up`` starts them."""
    with Deployment(folder, settings=settings).running() as deployment:
        yield deployment


@contextlib.contextmanager
def stack(
    folder: Path, settings: Mapping[str, str] = MappingProxyType({}), *, apis: int = 2, workers: int = 2
) -> Iterator[Deployment]:
    """Several of each on Redis and PostgreSQL."""
    with postgres_folder() as data:
        redis, postgres = RedisServer(folder / "redis"), PostgresServer(data)
        deployment = Deployment(folder, apis=apis, workers=workers, redis=redis, postgres=postgres, settings=settings)
        with deployment.running():
            yield deployment


DEPLOYMENTS = {"embedded": embedded, "stack": stack}


def assert_nothing_is_lost(deployment: Deployment, load: Load) -> None:
    """Once all is drained: each answer is in the log, exactly once; the books balance, the profiles are right."""
    deployment.wait_until_drained()
    logged = deployment.logged()
    acknowledged = {UUID(text) for text in load.acknowledged}
    assert len(acknowledged) == len(load.acknowledged)
    assert len(logged) == len(set(logged))
    assert not acknowledged.difference(logged)
    assert len(logged) - len(acknowledged) <= load.unanswered
    assert set(load.statuses) == {200}
    wait_until(
        lambda: _balances(deployment, len(logged)), f"accepted = logged = {len(logged)}", DRAIN_SECONDS, LOOK_SECONDS
    )
    assert deployment.told("drift", "verify")["differences"] == []


def _balances(deployment: Deployment, events: int) -> bool:
    """Whether the command agrees; it learns of the last events with the next report of each API process."""
    balances = deployment.balances()
    return sum(balance["accepted"] for balance in balances) == events and all(
        balance["accepted"] == balance["logged"] and balance["pending"] == 0 for balance in balances
    )
