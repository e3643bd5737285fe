"""One deployment under load, and one fault after the other."""

from collections.abc import Callable
from random import Random
from time import monotonic
from typing import NamedTuple

from benchmarks.chaos.faults import Fault
from benchmarks.chaos.load import Load
from benchmarks.chaos.site import TICK_SECONDS, Site

CALM_SECONDS = 8.0
_BREATH_SECONDS = (0.5, 2.0)
_EFFECT_SECONDS = 2.0
_ON_TOP_SHARE = 0.3
GIVE_UP_SECONDS = 30.0
"""After which the next fault comes, recovered or not."""


class Blow(NamedTuple):
    """A fault that came; times are of the monotonic clock.

    Parameters
    ----------
    recovered_seconds
        When all was as usual again; None where that did not come.
    """

    fault: Fault
    began_seconds: float
    ended_seconds: float
    recovered_seconds: float | None

    @property
    def recovery_seconds(self) -> float:
        return (self.recovered_seconds or self.ended_seconds + GIVE_UP_SECONDS) - self.ended_seconds

    @property
    def over_seconds(self) -> float:
        """Until when it may be blamed."""
        return self.ended_seconds + max(self.recovery_seconds, _EFFECT_SECONDS)


class Fire:
    """Does one thing after the other to a site.

    Parameters
    ----------
    site, load
        Both running.
    faults
        What may be done; all come in turn, shuffled, before one comes again. What is over at once, a kill, also comes
        on top of others that last.
    random
        Decides in which order, and how long.
    tell
        Hears a line now and then.
    """

    def __init__(
        self, site: Site, load: Load, faults: list[Fault], random: Random, tell: Callable[[str], None]
    ) -> None:
        self._site = site
        self._load = load
        self._faults = faults
        self._random = random
        self._tell = tell

    def burn(self, seconds: float) -> list[Blow]:
        """Let it go on for so long, and return what was done."""
        began_seconds = monotonic()
        self._site.wait(CALM_SECONDS)
        self._load.learn(began_seconds + CALM_SECONDS / 4)
        self._tell(f"as usual: within {1000 * self._load.limit_seconds / 3:.0f} ms; quick is three times as long")
        blows: list[Blow] = []
        deck: list[Fault] = []
        while monotonic() < began_seconds + seconds:
            if not deck:
                deck = self._random.sample(self._faults, len(self._faults))
            blows += self._strike(deck.pop())
            self._site.wait(self._random.uniform(*_BREATH_SECONDS))
        return blows

    def _strike(self, fault: Fault) -> list[Blow]:
        """Cause a fault, perhaps another one while it lasts, and wait until all is as before."""
        seconds = self._random.uniform(*fault.seconds)
        on_top = self._on_top_of(fault)
        struck = [(fault, monotonic())]
        told = [f"{fault.name} {fault.cause()}".strip()]
        try:
            self._hold(fault, seconds / 2)
            if on_top:
                struck.append((on_top._replace(name=f"{on_top.name}, on top of another"), monotonic()))
                told.append(f"{on_top.name} {on_top.cause()}".strip())
            self._hold(fault, seconds / 2)
        finally:
            fault.undo()
        ended_seconds = monotonic()
        recovered_seconds = self._wait_until_recovered(ended_seconds)
        blows = [Blow(each, began_seconds, ended_seconds, recovered_seconds) for each, began_seconds in struck]
        came = "as usual again" if recovered_seconds else "NOT as usual"
        self._tell(
            f"{', and '.join(told)}: {ended_seconds - blows[0].began_seconds:.1f} s, "
            f"{came} after {blows[0].recovery_seconds:.1f} s"
        )
        return blows

    def _on_top_of(self, fault: Fault) -> Fault | None:
        over_at_once = [each for each in self._faults if not any(each.seconds)]
        comes = any(fault.seconds) and over_at_once and self._random.random() < _ON_TOP_SHARE
        return self._random.choice(over_at_once) if comes else None

    def _hold(self, fault: Fault, seconds: float) -> None:
        end_seconds = monotonic() + seconds
        while monotonic() < end_seconds:
            self._site.wait(TICK_SECONDS)
            fault.hold()

    def _wait_until_recovered(self, ended_seconds: float) -> float | None:
        shut_seconds = ended_seconds
        while monotonic() < ended_seconds + GIVE_UP_SECONDS:
            self._site.wait(5 * TICK_SECONDS)
            if not self._load.is_let_in():
                shut_seconds = monotonic()
            elif (found := self._load.recovered_at(shut_seconds)) is not None:
                return found
        return None
