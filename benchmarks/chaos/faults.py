"""What is done to a deployment, and undone."""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from random import Random
from typing import NamedTuple

from benchmarks.chaos.clients import CUT, REFUSED
from benchmarks.chaos.clock import Clock
from benchmarks.chaos.disk import Disk
from benchmarks.chaos.proxy import Proxy, Way
from benchmarks.chaos.site import Part, Site
from tests.integration.deployment import API_POKEMON

NOT_RECORDED = "503 not-recorded"
OVERLOADED = "503 overloaded"

_PAUSE_SECONDS = (2.0, 8.0)
_FULL_SECONDS = (4.0, 8.0)
_FULL_REPORTS_SECONDS = (15.0, 20.0)
"""Loading Evidently alone takes several seconds."""

_JUMP_SECONDS = (3.0, 6.0)
_JUMPS = (60, 3600, 50 * 3600)
_PROXY_SECONDS = (4.0, 8.0)
_WAYS: dict[str, Way] = {"slow": "slow", "cut again and again": "cut", "half-open": "hang"}


def _nothing() -> None:
    """What has already come to its end is not undone."""


class Fault(NamedTuple):
    """One kind of fault.

    Parameters
    ----------
    name
        Its row in the table.
    cause, undo
        Each is called once for each time; what `cause` returns is what happened, for the line that tells of it.
    hold
        Called again and again between the two.
    seconds
        How long it lasts, between these two.
    allows
        Answers other than predictions that it may bring, until the service is as usual again.
    shows
        One that it must bring, of all its times once at least, or nobody felt it.
    """

    name: str
    cause: Callable[[], str]
    undo: Callable[[], None] = _nothing
    hold: Callable[[], None] = _nothing
    seconds: tuple[float, float] = (0.0, 0.0)
    allows: frozenset[str] = frozenset({OVERLOADED})
    shows: str | None = None


def faults_of(site: Site, clock: Clock, random: Random) -> list[Fault]:
    """All that can be done to it, where this machine allows it."""
    faults = [*_deaths(site, random), *_disks(site), *_proxies(site)]
    if clock.is_there:
        faults += [
            Fault(
                f"clock jumps {where}, and returns",
                partial(_jump, clock, sign, random),
                partial(clock.jump, 0),
                seconds=_JUMP_SECONDS,
            )
            for where, sign in (("forward", 1), ("back", -1))
        ]
    return faults


def _deaths(site: Site, random: Random) -> Iterator[Fault]:
    for name, parts in site.parts.items():
        cuts = frozenset({OVERLOADED, CUT, REFUSED}) if name == "API" else frozenset({OVERLOADED})
        yield Fault(f"{name} killed", partial(_kill, parts, random), allows=cuts)
        paused: list[Part] = []
        yield Fault(
            f"{name} stopped (SIGSTOP)",
            partial(_pause, parts, paused, random),
            partial(_resume, paused),
            seconds=_PAUSE_SECONDS,
        )


def _kill(parts: list[Part], random: Random) -> str:
    number = random.randrange(len(parts))
    parts[number].kill()
    return f"number {number}" if len(parts) > 1 else ""


def _pause(parts: list[Part], paused: list[Part], random: Random) -> str:
    number = random.randrange(len(parts))
    parts[number].pause()
    paused.append(parts[number])
    return f"number {number}" if len(parts) > 1 else ""


def _resume(paused: list[Part]) -> None:
    while paused:
        paused.pop().resume()


def _jump(clock: Clock, sign: int, random: Random) -> str:
    seconds = sign * random.choice(_JUMPS)
    clock.jump(seconds)
    return f"by {seconds:+,} s"


def _disks(site: Site) -> Iterator[Fault]:
    for name, disk in site.disks.items():
        asks = partial(_ask_for_a_report, site) if name == "reports" else _nothing
        first = partial(_shorten_journals, disk) if name == "outbox" else _nothing
        yield Fault(
            f"disk full under {name}",
            partial(_fill, first, disk, asks),
            disk.free,
            disk.fill,
            seconds=_FULL_REPORTS_SECONDS if name == "reports" else _FULL_SECONDS,
            allows=frozenset({OVERLOADED, NOT_RECORDED}) if name == "outbox" else frozenset({OVERLOADED}),
            shows=NOT_RECORDED if name == "outbox" else None,
        )


def _fill(first: Callable[[], None], disk: Disk, then: Callable[[], None]) -> str:
    first()
    disk.fill()
    then()
    return ""


def _shorten_journals(disk: Disk) -> None:
    """What outboxes have of the disk would else last them for longer than it is full."""
    for path in disk.folder.glob("outbox-[0-9].sqlite"):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _ask_for_a_report(site: Site) -> None:
    environment = {**os.environ, **site.deployment.settings}
    command = [*API_POKEMON, "jobs", "run", "drift-report"]
    subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _proxies(site: Site) -> Iterator[Fault]:
    for name, proxy in site.proxies.items():
        for told, way in _WAYS.items():
            yield Fault(
                f"way to {name} {told}", partial(_be, proxy, way), partial(proxy.be, "pass"), seconds=_PROXY_SECONDS
            )


def _be(proxy: Proxy, way: Way) -> str:
    proxy.be(way)
    return ""
