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
from api_pokemon.stack.drill.site import Native, Site
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


class Trouble(Protocol):
    """Something that goes wrong from its beginning to its end."""

    def begin(self) -> None:
        """Cause it.

        Raises
        ------
        ImpossibleFaultError, UnreachableError
            It cannot be caused here; somebody does not answer.
        """

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
        self._renew_at = 0.0

    def begin(self) -> None:
        self._site.cause(self._process, self._fault, seconds=LEASE_SECONDS, level=self._level)
        self._renew_at = monotonic() + _RENEW_SECONDS

    def keep(self) -> None:
        if monotonic() >= self._renew_at:
            self.begin()

    def end(self) -> None:
        self._site.lift(self._process, self._fault)


class _FullOutbox:
    """Filled by batches up to a share of what it may hold; drained again once somebody logs."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._goal = 0.0
        self._batches = 0

    def begin(self) -> None:
        self._site.predict_batch(1)  # an outbox shows its size once it holds something
        most = self._site.sample("outbox_max_bytes")
        self._goal = _OUTBOX_SHARE * most
        if self._goal - self._site.sample("outbox_bytes") > _MOST_OUTBOX_BYTES:
            raise ImpossibleFaultError(
                f"an outbox of {most:,.0f} bytes would take too many predictions to fill, which stay in the log"
            )

    def keep(self) -> None:
        for _ in range(_BATCHES_AT_ONCE):
            if self._batches >= _MOST_BATCHES or self._site.sample("outbox_bytes") >= self._goal:
                return
            self._batches += 1
            self._site.predict_batch(_BATCH)

    def end(self) -> None: ...


class _Watched:
    """What a watchdog does and undoes."""

    def __init__(self, do: Callable[[], Undone]) -> None:
        self._do = do
        self._undone: Undone | None = None

    def begin(self) -> None:
        self._undone = self._do()

    def keep(self) -> None: ...

    def end(self) -> None:
        if self._undone:
            self._undone.undo()


def _trouble(site: Site, cause: Cause) -> Trouble:
    match cause:
        case FaultOn(process, fault, level):
            return _Fault(site, process, fault, level)
        case MemoryFilled():
            return _Fault(site, "api", "memory-pressure", _memory_level(site))
        case OutboxFilled():
            return _FullOutbox(site)
        case ProcessStopped(process):
            name = "serve" if process == "api" else process
            return _Watched(lambda: stop_process(site.need_native().running.process(name)))
        case ThresholdLowered(alert):
            return _Watched(lambda: _lower(site.need_native(), alert))


def _memory_level(site: Site) -> float:
    limit_bytes = site.sample("system_memory_usage_bytes") + site.sample("system_memory_available_bytes")
    return max(_MEMORY_SHARE, 1 - _MEMORY_LEFT_BYTES / limit_bytes)


def _lower(native: Native, alert: str) -> Undone:
    file = next(rule.file for rule in alert_rules() if rule.name == alert)
    return lower_threshold(native.rules_folder / file, alert, native.running.process("prometheus"))


class _Use(NamedTuple):
    trouble: Trouble
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
                    self.keep()  # a beginning may have taken a while
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
                use.trouble.keep()

    def end(self, alert: str) -> None:
        """Undo what no other alert needs."""
        for cause, use in list(self._uses.items()):
            use.users.discard(alert)
            if not use.users:
                del self._uses[cause]
                self._undo(cause, use.trouble)

    def last(self, way: Way) -> bool:
        """Whether any of a way's causes is still on, since another alert needs it."""
        return any(cause in self._uses for cause in way.causes)

    def _use(self, alert: str, cause: Cause) -> None:
        if cause not in self._uses:
            trouble = _trouble(self._site, cause)
            trouble.begin()
            self._uses[cause] = _Use(trouble, set())
        self._uses[cause].users.add(alert)

    def _undo(self, cause: Cause, trouble: Trouble) -> None:
        try:
            trouble.end()
        except (ImpossibleFaultError, UnreachableError) as error:
            self._tell(f"{cause} could not be undone ({error}); it ends by itself within {LEASE_SECONDS:g} s.")
