"""Causes what a recipe asks for, keeps it up, and undoes it when nobody needs it any more."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic
from typing import NamedTuple, Protocol

from api_pokemon.errors import ImpossibleFaultError, UnreachableError
from api_pokemon.stack.configuration import alert_rules
from api_pokemon.stack.drill.recipes import (
    Cause,
    FaultOn,
    MemoryFilled,
    OutboxFilled,
    Process,
    ProcessStopped,
    ThresholdLowered,
    Way,
)
from api_pokemon.stack.drill.site import Site
from api_pokemon.stack.drill.watchdog import Undone, lower_threshold, stop_process

LEASE_SECONDS = 12.0
"""For which a fault is caused at a time: so soon is it over when the drill is killed."""

_RENEW_SECONDS = 4.0

_MEMORY_SHARE = 0.92
_MEMORY_LEFT_BYTES = 400 << 20
"""Both alerts fire where less than 15 % and less than 512 MiB are left."""

_OUTBOX_SHARE = 0.83
"""Above the threshold of 0.8, with room for those who go on predicting."""

_MOST_OUTBOX_BYTES = 8 << 20
"""More is not filled: what is in the outbox goes into the prediction log, and stays there."""

_BATCH = 50
_BATCHES_AT_ONCE = 10
_MOST_BATCHES = 800


class Caused(Protocol):
    """Something that goes wrong just now."""

    def keep(self) -> None:
        """Called again and again while it shall last."""

    def end(self) -> None:
        """Undo it."""


class _Fault:
    def __init__(self, site: Site, process: Process, fault: str, level: float | None) -> None:
        self._site = site
        self._process: Process = process
        self._fault = fault
        self._level = level
        self._renew()

    def keep(self) -> None:
        if monotonic() >= self._renew_at:
            self._renew()

    def end(self) -> None:
        self._site.lift(self._process, self._fault)

    def _renew(self) -> None:
        self._site.cause(self._process, self._fault, seconds=LEASE_SECONDS, level=self._level)
        self._renew_at = monotonic() + _RENEW_SECONDS


class _Outbox:
    """Filled by batches up to a share of what it may hold; drained again once somebody logs."""

    def __init__(self, site: Site) -> None:
        most = site.sample("outbox_max_bytes")
        self._goal = _OUTBOX_SHARE * most
        if self._goal - site.sample("outbox_bytes") > _MOST_OUTBOX_BYTES:
            raise ImpossibleFaultError(
                f"an outbox of {most:,.0f} bytes would take too many predictions to fill, which stay in the log"
            )
        self._site = site
        self._batches = 0

    def keep(self) -> None:
        for _ in range(_BATCHES_AT_ONCE):
            if self._batches >= _MOST_BATCHES or self._site.sample("outbox_bytes") >= self._goal:
                return
            self._batches += 1
            try:
                self._site.predict_batch(_BATCH)
            except ImpossibleFaultError:  # refused, since it is full
                return

    def end(self) -> None: ...


class _Watched:
    def __init__(self, undone: Undone) -> None:
        self._undone = undone

    def keep(self) -> None: ...

    def end(self) -> None:
        self._undone.undo()


def _cause(site: Site, cause: Cause) -> Caused:
    match cause:
        case FaultOn(process, fault, level):
            return _Fault(site, process, fault, level)
        case MemoryFilled():
            limit = site.sample("system_memory_usage_bytes") + site.sample("system_memory_available_bytes")
            return _Fault(site, "api", "memory-pressure", max(_MEMORY_SHARE, 1 - _MEMORY_LEFT_BYTES / limit))
        case OutboxFilled():
            return _Outbox(site)
        case ProcessStopped(process):
            running, _ = site.need_native()
            return _Watched(stop_process(running.process("serve" if process == "api" else process)))
        case ThresholdLowered(alert):
            running, rules = site.need_native()
            file = next(rule.file for rule in alert_rules() if rule.name == alert)
            return _Watched(lower_threshold(rules / file, alert, running.process("prometheus")))


class _Use(NamedTuple):
    caused: Caused
    users: set[str]


class Causes:
    """All that the drill has caused; leaving its context undoes it.

    Parameters
    ----------
    site
        Where.
    tell
        Called with what could not be done or undone, in words.
    """

    def __init__(self, site: Site, tell: Callable[[str], None]) -> None:
        self._site = site
        self._tell = tell
        self._uses: dict[Cause, _Use] = {}

    def __enter__(self) -> "Causes":
        return self

    def __exit__(self, *_: object) -> None:
        for user in {user for use in self._uses.values() for user in use.users}:
            self.end(user)

    def begin(self, alert: str, ways: Iterable[Way]) -> Way:
        """Take the first way that is possible.

        Raises
        ------
        ImpossibleFaultError
            None is; with all reasons.
        """
        reasons = []
        for way in ways:
            try:
                for cause in way.causes:
                    self._use(alert, cause)
            except (ImpossibleFaultError, UnreachableError) as error:
                self.end(alert)
                reasons.append(f"{way.text}: {error}")
                self._tell(f"{alert}: not possible here: {reasons[-1]}")
            else:
                return way
        raise ImpossibleFaultError("; ".join(reasons))

    def keep(self) -> None:
        """Let go on what is on."""
        for use in self._uses.values():
            with suppress(ImpossibleFaultError, UnreachableError):  # what is not kept up does not fire, and is told so
                use.caused.keep()

    def end(self, alert: str) -> None:
        """Undo what no other alert needs."""
        for cause, use in list(self._uses.items()):
            use.users.discard(alert)
            if not use.users:
                del self._uses[cause]
                self._undo(cause, use.caused)

    def lasts(self, alert_ways: Way) -> bool:
        """Whether anything of a way is still on, since another alert needs it."""
        return any(cause in self._uses for cause in alert_ways.causes)

    def _use(self, alert: str, cause: Cause) -> None:
        if cause not in self._uses:
            self._uses[cause] = _Use(_cause(self._site, cause), set())
        self._uses[cause].users.add(alert)

    def _undo(self, cause: Cause, caused: Caused) -> None:
        try:
            caused.end()
        except (ImpossibleFaultError, UnreachableError) as error:
            self._tell(f"{cause} could not be undone ({error}); it ends by itself within {LEASE_SECONDS:g} s.")
