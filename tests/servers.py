"""Real Redis and PostgreSQL servers of a test's own, which it may kill, pause and start again.

The fixtures are in ``conftest.py``. A server ends with the test run however the run ends: the kernel signals it when
the thread that started it is gone, so start servers in the main thread.
"""

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

import psutil
import psycopg
import pytest
import redis

from tests.needs import needs

WAIT_SECONDS = 60


def wait_until(
    condition: Callable[[], object], what: str, seconds: float = WAIT_SECONDS, every_seconds: float = 0.01
) -> None:
    """Return once the condition holds; fail, naming what did not come about, when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}")
        time.sleep(every_seconds)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, below those that the kernel hands to connections.

    So no client can happen to sit on it while its server is down.
    """
    while True:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            port = random.SystemRandom().randrange(15_000, 32_000)
            probe.bind(("127.0.0.1", port))
            return port


class Server(ABC):
    """A server program on a port of its own, with its data in a folder."""

    stop_signal = signal.SIGTERM
    death_signal = "KILL"
    user: str | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def _command(self) -> list[str]:
        """The program and its arguments; it stays in the foreground."""

    @abstractmethod
    def _answers(self) -> bool: ...

    def _environment(self) -> Mapping[str, str]:
        """Variables that it gets beside ours."""
        return {}

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, on the data that it left, and return once it answers."""
        self.launch()
        self.wait_until_it_answers()

    def launch(self) -> None:
        """Start it without waiting for it."""
        assert not self.is_running
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_until_we_end(self.death_signal, self.user), *self._command()],
                cwd=self.folder,
                env={**os.environ, **self._environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,  # so that Ctrl-C reaches the tests alone
            )

    def wait_until_it_answers(self) -> None:
        wait_until(lambda: self._answers() or not self.is_running, f"{self} answers")
        if not self.is_running:
            pytest.fail(f"{self} did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def stop(self) -> int | None:
        """End it in good order, and return its exit status; None where it does not run."""
        if self._process is None or not self.is_running:
            return None
        self.resume()
        self._process.send_signal(self.stop_signal)
        return self._process.wait(WAIT_SECONDS)

    def kill(self) -> None:
        """``kill -9`` all its processes at once, and return when they are gone; `start` starts it again."""
        assert self._process
        processes = self._suspend()
        for process in processes:
            _send(process, signal.SIGKILL)
        self._process.wait(WAIT_SECONDS)
        wait_until(lambda: not any(map(_lives, processes)), f"{self} is gone")

    def pause(self) -> None:
        """Stop all its processes where they are; connections stay open, and new ones wait."""
        self._suspend()

    def resume(self) -> None:
        for process in reversed(self._processes()):
            _send(process, signal.SIGCONT)

    def _suspend(self) -> list[psutil.Process]:
        """Suspend the parent first: then it starts no more children."""
        assert self._process
        _send(psutil.Process(self._process.pid), signal.SIGSTOP)
        processes = self._processes()
        for process in processes:
            _send(process, signal.SIGSTOP)
        return processes

    def _processes(self) -> list[psutil.Process]:
        assert self._process
        parent = psutil.Process(self._process.pid)
        return [parent, *parent.children(recursive=True)]

    def __str__(self) -> str:
        return f"{type(self).__name__} on port {self.port}"


def _until_we_end(signal_name: str, user: str | None) -> list[str]:
    """The words before a command that send it a signal when we are gone, and let another user run it."""
    program = _program("setpriv")
    as_user = ["--reuid", user, "--regid", user, "--init-groups"] if user else []
    return [program, "--pdeathsig", signal_name, *as_user, "--"]


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _program(name: str, *folders: Path) -> str:
    path = shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ["PATH"], "/usr/sbin"]))
    needs(path, f"{name} (see scripts/prepare_tests)")
    assert path
    return path


class RedisServer(Server):
    """A Redis server.

    Parameters
    ----------
    folder
        Where its data goes.
    append_only
        Whether what was written is there again after a restart; without it a restart comes up empty.
    settings
        More of what ``redis.conf`` knows, such as ``{"maxmemory": "2mb"}``.
    """

    def __init__(self, folder: Path, *, append_only: bool = True, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder)
        self._settings = {
            "appendonly": "yes" if append_only else "no",
            "appendfsync": "no",  # each change is written at once; with fsyncs, it may wait for one that is under way
            "save": "",
            **(settings or {}),
        }

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> list[str]:
        settings = {"bind": "127.0.0.1", "port": str(self.port), "dir": str(self.folder), **self._settings}
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        return [_program("redis-server"), *words]

    def forget(self) -> None:
        """While it does not run: let it come back empty."""
        assert not self.is_running
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), redis.Redis.from_url(self.url, socket_timeout=1) as client:
            return bool(client.ping())
        return False


class PostgresServer(Server):
    """A PostgreSQL server that lets everyone of this machine in, and survives kills, but no loss of power.

    Parameters
    ----------
    folder
        Where its data goes; `postgres_folder` gives one that it can get at.
    """

    stop_signal = signal.SIGINT  # waits for no client
    death_signal = "QUIT"  # takes its children along

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.user = _postgres_user()

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    @contextlib.contextmanager
    def database(self, name: str) -> Iterator[str]:
        """The URL of a new, empty database, which goes afterwards."""
        self._run(f'create database "{name}"')
        yield self.url_of(name)
        self._run(f'drop database "{name}" with (force)')

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def launch(self) -> None:
        if not self._data.exists():
            self._make_data()
        super().launch()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _make_data(self) -> None:
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        command = [*_until_we_end("KILL", self.user), _postgres_program("initdb"), *options, f"--pgdata={self._data}"]
        made = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.fail(f"initdb: {made.stderr}")

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",  # what a killed process wrote stays in the memory of the machine
            "shared_buffers": "32MB",
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [_postgres_program("postgres"), "-D", str(self._data), *words]

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.url, connect_timeout=2).close()
            return True
        return False


@contextlib.contextmanager
def postgres_folder() -> Iterator[Path]:
    """A folder for the data of a `PostgresServer`; the folders of pytest are closed to the user that must run it."""
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        if user := _postgres_user():
            shutil.chown(folder, user, user)
        yield Path(folder)


def _postgres_user() -> str | None:
    """Who runs it, where it may not be us: it refuses root."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    needs(None, "the user postgres (see scripts/prepare_tests)")
    return None


def _postgres_program(name: str) -> str:
    """Debian keeps the programs of each version in a folder of its own; the newest is taken."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return _program(name, *reversed(versions))
