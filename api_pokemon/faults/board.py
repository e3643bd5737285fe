"""Which faults are on in this process, how strong, and until when."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock, Timer
from time import monotonic
from typing import NamedTuple, Protocol

from api_pokemon.errors import FaultLevelError, UnknownFaultError

logger = logging.getLogger(__name__)


class Level(NamedTuple):
    """How strong a fault is unless told otherwise, and within which bounds."""

    default: float
    least: float
    most: float
    unit: str


class Fault(NamedTuple):
    """Something that can go wrong on purpose.

    Parameters
    ----------
    summary
        A sentence: what goes wrong while it is on.
    level
        How strong it may be; None where it is on or off.
    """

    name: str
    summary: str
    level: Level | None = None


class Effect(Protocol):
    """What causes a fault that nobody on the way of a request could."""

    def begin(self, level: float, seconds: float) -> None:
        """Cause it for at most so long; called again to go on, perhaps with another level.

        Raises
        ------
        ImpossibleFaultError
            It cannot be caused here, or not safely.
        """

    def end(self) -> None:
        """Undo it; called once for each time that it was on."""


class NoEffect:
    """Of a fault that is looked up where it is to happen, with :meth:`Faults.level`."""

    def begin(self, level: float, seconds: float) -> None: ...

    def end(self) -> None: ...


@dataclass(frozen=True, slots=True)
class FaultStatus:
    """A fault, and whether it is on: then it has a remaining time, and a level if it knows levels."""

    name: str
    summary: str
    unit: str
    level: float | None = None
    remaining_seconds: float | None = None


class _On(NamedTuple):
    level: float
    until: float
    timer: Timer


class Faults:
    """The faults of one process. Each ends by itself when its time is over, whatever became of who wanted it.

    Parameters
    ----------
    effects
        What can be caused here, and how.
    clock
        A clock that does not go back, in seconds.

    Examples
    --------
    >>> noise = Fault("noise", "There is noise.", Level(default=0.5, least=0.1, most=1.0, unit="share"))
    >>> faults = Faults({noise: NoEffect()})
    >>> with faults.lifted_at_the_end():
    ...     _ = faults.cause("noise", seconds=60)
    ...     faults.level(noise)
    0.5
    >>> faults.level(noise) is None
    True
    """

    def __init__(self, effects: Mapping[Fault, Effect], clock: Callable[[], float] = monotonic) -> None:
        self._effects = effects
        self._faults = {fault.name: fault for fault in effects}
        self._clock = clock
        self._lock = RLock()
        self._on: dict[str, _On] = {}

    def level(self, fault: Fault) -> float | None:
        """How strong the fault is now; None while it is not on."""
        on = self._on.get(fault.name)
        return on.level if on is not None and self._clock() < on.until else None

    def cause(self, name: str, *, seconds: float, level: float | None = None) -> FaultStatus:
        """Cause a fault from now on for so long, or let one that is on go on for so long.

        Raises
        ------
        UnknownFaultError, FaultLevelError, ImpossibleFaultError
            There is none of that name; it cannot be so strong; it cannot be caused here.
        """
        fault = self._find(name)
        strength = _strength(fault, level)
        with self._lock:
            was_on = self._forget(name)
            try:
                self._effects[fault].begin(strength, seconds)
            except BaseException:
                if was_on:
                    self._effects[fault].end()
                raise
            timer = Timer(seconds, self._lift_if_over, (name,))
            timer.daemon = True
            self._on[name] = _On(strength, self._clock() + seconds, timer)
            timer.start()
        if not was_on:
            logger.warning("fault %s is on for %g s, as an admin wants it", name, seconds)
        return self._status(fault)

    def lift(self, name: str) -> FaultStatus:
        """End a fault; one that is not on stays so.

        Raises
        ------
        UnknownFaultError
            There is none of that name.
        """
        fault = self._find(name)
        with self._lock:
            if self._forget(name):
                self._effects[fault].end()
                logger.warning("fault %s is over", name)
        return self._status(fault)

    def lift_all(self) -> None:
        """End all faults."""
        for name in self._faults:
            self.lift(name)

    def statuses(self) -> list[FaultStatus]:
        """Every fault that can be caused here, and whether it is on."""
        return [self._status(fault) for fault in self._effects]

    @contextmanager
    def lifted_at_the_end(self) -> Iterator[None]:
        """Leave none on afterwards."""
        try:
            yield
        finally:
            self.lift_all()

    def _find(self, name: str) -> Fault:
        try:
            return self._faults[name]
        except KeyError:
            raise UnknownFaultError(name, tuple(self._faults)) from None

    def _forget(self, name: str) -> bool:
        on = self._on.pop(name, None)
        if on is not None:
            on.timer.cancel()
        return on is not None

    def _lift_if_over(self, name: str) -> None:
        """By its timer, which may have been too late to be cancelled when the fault was prolonged."""
        with self._lock:
            on = self._on.get(name)
            if on is not None and self._clock() >= on.until:
                self.lift(name)

    def _status(self, fault: Fault) -> FaultStatus:
        unit = fault.level.unit if fault.level else ""
        on = self._on.get(fault.name)
        remaining_seconds = round(on.until - self._clock(), 3) if on is not None else 0.0
        if on is None or remaining_seconds <= 0:
            return FaultStatus(fault.name, fault.summary, unit)
        return FaultStatus(fault.name, fault.summary, unit, on.level if fault.level else None, remaining_seconds)


def _strength(fault: Fault, level: float | None) -> float:
    bounds = fault.level
    if bounds is None:
        if level is not None:
            raise FaultLevelError(f"{fault.name} is on or off; leave out the level.")
        return 1.0
    if level is None:
        return bounds.default
    if not bounds.least <= level <= bounds.most:
        raise FaultLevelError(
            f"The level of {fault.name} is {level:g}; "
            f"it must be from {bounds.least:g} to {bounds.most:g} {bounds.unit}."
        )
    return level
