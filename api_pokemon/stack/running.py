"""Where the stack of this machine runs, told by the one that started it to those that look at it."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from api_pokemon.errors import StartError, UnreachableError

_FILE = "stack.json"


class RunningStack(NamedTuple):
    """A stack that runs.

    Parameters
    ----------
    pid
        Of the process that supervises all others.
    started_seconds
        When that process began (Unix time), by which it is told from a later one of the same number.
    speedup
        By how much all waiting of rules and routes is shorter than written.
    metrics
        Where the API shows its metrics, which may have a port of their own.
    """

    pid: int
    started_seconds: float
    speedup: float
    api: str
    metrics: str
    worker: str
    prometheus: str
    alertmanager: str
    node_exporter: str
    deliveries: str

    @property
    def is_alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            is_it = abs(process.create_time() - self.started_seconds) < 1
            return is_it and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def process(self, name: str) -> psutil.Process:
        """The process of one of its programs as it is now: `serve`, `worker`, `prometheus`, …

        Raises
        ------
        UnreachableError
            There is none just now.
        """
        for child in psutil.Process(self.pid).children() if self.is_alive else ():
            words = [Path(word).name.replace("_", "-") for word in _command_of(child)[:4]]
            if name in words or f"prometheus-{name}" in words:
                return child
        raise UnreachableError(f"No process of the stack is {name} just now.")


def stack_folder(data_dir: Path) -> Path:
    """Where the stack of a data folder keeps its configuration, its logs, and what its programs store."""
    return data_dir.absolute() / "stack"


def prometheus_folder(folder: Path) -> Path:
    """Where in there Prometheus reads its configuration and its rules."""
    return folder / "prometheus"


def running_stack(data_dir: Path) -> RunningStack | None:
    """The stack that runs on a data folder, if there is one."""
    try:
        stack = RunningStack(**json.loads((data_dir / _FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return stack if stack.is_alive else None


def need_running_stack(data_dir: Path) -> RunningStack:
    """The stack that runs on a data folder.

    Raises
    ------
    UnreachableError
        There is none.
    """
    if stack := running_stack(data_dir):
        return stack
    raise UnreachableError(f"No stack runs on the data folder {data_dir.absolute()}. Start one with `make stack`.")


@contextmanager
def announced(stack: RunningStack, data_dir: Path) -> Iterator[None]:
    """Let others find the stack meanwhile."""
    path = data_dir / _FILE
    whole = path.with_suffix(".new")
    whole.write_text(json.dumps(stack._asdict(), indent=2) + "\n")
    whole.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def holding(data_dir: Path) -> Iterator[None]:
    """Have the stack that runs on a data folder for oneself meanwhile: two that break it would undo each other.

    Raises
    ------
    StartError
        Somebody else has it.
    """
    with (data_dir / _FILE).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartError(
                "This stack is being drilled already. Wait for the end of that drill, or stop it."
            ) from error
        yield


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
