"""A process that does something, and undoes it when its standard input closes or its time is over.

The drill holds the other end of that pipe, which the kernel closes when the drill is gone, however it went. So what the
drill does to processes and files is undone even after ``kill -9``.
"""

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import psutil
import yaml

from api_pokemon.errors import ImpossibleFaultError

_LONGEST_SECONDS = 3600.0
_DONE = "done"
_THRESHOLD = re.compile(r"(<=|>=|<|>)(?!.*[<>]).*$", re.DOTALL)


class Sign(NamedTuple):
    """A process, told from a later one of the same number by when it began (Unix time)."""

    pid: int
    began_seconds: float

    @classmethod
    def of(cls, process: psutil.Process) -> Self:
        return cls(process.pid, process.create_time())

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it is still that process."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.began_seconds) < 1:
                process.send_signal(number)


class Undone:
    """Something that a watchdog did, until :meth:`undo`."""

    def __init__(self, watchdog: subprocess.Popen[bytes]) -> None:
        self._watchdog = watchdog

    def undo(self) -> None:
        """Return when it is undone; a second call changes nothing."""
        for pipe in (self._watchdog.stdin, self._watchdog.stdout):
            if pipe is not None:
                pipe.close()
        self._watchdog.wait()


def _do(*words: str) -> Undone:
    """Start a watchdog, and return once it has done what the words say."""
    watchdog = subprocess.Popen(
        (sys.executable, "-m", __name__, *words),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # so that Ctrl-C reaches the drill alone
    )
    told = watchdog.stdout.readline().decode().strip() if watchdog.stdout else ""
    if told != _DONE:
        Undone(watchdog).undo()
        raise ImpossibleFaultError(told or f"{words[0]} could not be done")
    return Undone(watchdog)


def stop_process(process: psutil.Process) -> Undone:
    """Stop a process where it is; it goes on when that is undone."""
    pid, began_seconds = Sign.of(process)
    return _do("stop", str(pid), str(began_seconds))


def lower_threshold(rules: Path, alert: str, prometheus: psutil.Process) -> Undone:
    """Let an alert fire at any value, in the rules file that a Prometheus has read."""
    pid, began_seconds = Sign.of(prometheus)
    return _do("lower", str(pid), str(began_seconds), str(rules), alert)


@contextlib.contextmanager
def _stopped(process: Sign) -> Iterator[None]:
    try:
        process.send(signal.SIGSTOP)
        yield
    finally:
        process.send(signal.SIGCONT)


@contextlib.contextmanager
def _lowered(prometheus: Sign, rules: Path, alert: str) -> Iterator[None]:
    before = exchange(rules, alert, None)
    try:
        prometheus.send(signal.SIGHUP)
        yield
    finally:
        exchange(rules, alert, before)
        prometheus.send(signal.SIGHUP)


def expression_of(rules: Path, alert: str) -> str:
    """What an alert of a file looks at; nothing where the file has no such alert."""
    with rules.open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        return next((str(rule["expr"]) for rule in _rules(yaml.safe_load(file), alert)), "")


def exchange(rules: Path, alert: str, expression: str | None) -> str:
    """Give an alert another expression, by default one that is always true; return the one that it had.

    Others may do the same to other alerts of the file.
    """
    with rules.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        document = yaml.safe_load(file)
        rule = next(_rules(document, alert))
        before = str(rule["expr"])
        rule["expr"] = lowered(before) if expression is None else expression
        text = yaml.safe_dump(document, sort_keys=False, width=4096, allow_unicode=True)
        file.seek(0)
        file.write(text)
        file.truncate()
    return before


def _rules(document: Any, alert: str) -> Iterator[dict[str, Any]]:
    return (rule for group in document["groups"] for rule in group["rules"] if rule.get("alert") == alert)


def lowered(expression: str) -> str:
    """The expression with a threshold that every value passes.

    Examples
    --------
    >>> lowered("system_memory_available_bytes < 512 * 1024 * 1024")
    'system_memory_available_bytes < +Inf'
    >>> lowered("max by (job) (a / b) > 0.8")
    'max by (job) (a / b) > -Inf'
    """
    return _THRESHOLD.sub(lambda match: f"{match[1]} {'-' if match[1][0] == '>' else '+'}Inf", expression)


def main(verb: str, pid: str, began_seconds: str, *words: str) -> None:
    """Do it, say so, wait, undo it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    process = Sign(int(pid), float(began_seconds))
    with _stopped(process) if verb == "stop" else _lowered(process, Path(words[0]), words[1]):
        print(_DONE, flush=True)
        _wait_for_the_end(time.monotonic() + _LONGEST_SECONDS)


def _wait_for_the_end(deadline: float) -> None:
    while (left := deadline - time.monotonic()) > 0:
        readable, _, _ = select.select([0], [], [], left)
        if readable and not os.read(0, 1024):
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
