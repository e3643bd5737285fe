"""Takes alerts through their drill: caused, fired, delivered, over, and told to be over."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from time import monotonic, sleep
from typing import NamedTuple

from api_pokemon.errors import ImpossibleFaultError, UnreachableError
from api_pokemon.stack.drill.causing import Causes
from api_pokemon.stack.drill.recipes import Recipe, Way
from api_pokemon.stack.drill.watching import Watching

_LOOK_SECONDS = 0.3
_SIGN_OF_LIFE_SECONDS = 30.0


class Result(NamedTuple):
    """What came of the drill of one alert.

    Parameters
    ----------
    cause
        What was done; empty where nothing could be.
    delivery_only
        The condition was not reached: its threshold was lowered.
    fired_seconds, delivered_seconds
        From the cause to the firing, and to the delivery of that.
    resolved_seconds
        From the end of the cause to the delivery of the alert's end.
    problem
        Why it failed; empty where it did not.
    """

    alert: str
    cause: str
    delivery_only: bool
    fired_seconds: float | None
    delivered_seconds: float | None
    resolved_seconds: float | None
    problem: str


class _Phase(Enum):
    WAITS = "waits for its turn"
    CAUSED = "is caused"
    FIRES = "fires"
    RESOLVES = "is delivered, and its cause is gone"
    OVER = "is over"
    FAILED = "failed"

    @property
    def is_open(self) -> bool:
        return self not in (_Phase.OVER, _Phase.FAILED)

    @property
    def is_under_way(self) -> bool:
        return self.is_open and self is not _Phase.WAITS


@dataclass(slots=True)
class _Case:
    """An alert on its way. `since` is when the phase began, `heard` how many deliveries had come by then."""

    recipe: Recipe
    phase: _Phase = _Phase.WAITS
    since: float = 0.0
    began: float = 0.0
    heard: int = 0
    way: Way | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    problem: str = ""

    @property
    def alert(self) -> str:
        return self.recipe.alert

    def result(self) -> Result:
        return Result(
            self.alert,
            self.way.text if self.way else "",
            self.way.delivery_only if self.way else False,
            self.seconds.get("fired"),
            self.seconds.get("delivered"),
            self.seconds.get("resolved"),
            self.problem or ("" if self.phase is _Phase.OVER else "interrupted"),
        )


class Drilling:
    """The drill of some alerts.

    Parameters
    ----------
    recipes
        Of the alerts.
    causes
        Causes them; whoever leaves its context undoes all that is left.
    watching
        Tells what fires, and what is delivered.
    limit_seconds
        How long an alert may take to fire, to be delivered, and to be told over; each.
    tell
        Called with each step, in words.
    """

    def __init__(
        self,
        recipes: Iterable[Recipe],
        causes: Causes,
        watching: Watching,
        *,
        limit_seconds: float,
        tell: Callable[[str], None],
    ) -> None:
        self._cases = [_Case(recipe) for recipe in recipes]
        self._causes = causes
        self._watching = watching
        self._limit_seconds = limit_seconds
        self._tell_line = tell
        self._began = monotonic()
        self._told_at = 0.0
        self._is_blind = False

    def run(self) -> None:
        """Drill until all are over or have failed."""
        self._refuse_unknown()
        while any(case.phase.is_open for case in self._cases):
            self._causes.keep()
            self._look()
            for case in self._cases:
                if case.phase.is_open:
                    self._advance(case)
            self._give_a_sign_of_life()
            sleep(_LOOK_SECONDS)

    def results(self) -> list[Result]:
        """What came of each so far."""
        return [case.result() for case in self._cases]

    def also_fired(self) -> list[str]:
        """Alerts that fired meanwhile and are not drilled."""
        return sorted(self._watching.fired - {case.alert for case in self._cases})

    def _refuse_unknown(self) -> None:
        known = self._watching.rules()
        for case in self._cases:
            if case.alert not in known:
                self._fail(case, "Prometheus has no such rule")

    def _look(self) -> None:
        """What cannot be asked for a while is asked again; alerts that wait too long for it fail by their limit."""
        try:
            self._watching.look()
        except UnreachableError as error:
            if not self._is_blind:
                self._tell(str(error))
            self._is_blind = True
        else:
            self._is_blind = False

    def _advance(self, case: _Case) -> None:
        match case.phase:
            case _Phase.WAITS:
                self._begin(case)
            case _Phase.CAUSED if self._watching.state(case.alert) == "firing":
                self._move(case, _Phase.FIRES, "fired", case.began)
            case _Phase.FIRES if self._was_delivered(case, "firing"):
                case.seconds["delivered"] = monotonic() - case.began
                self._causes.end(case.alert)
                self._move(case, _Phase.RESOLVES)
            case _Phase.RESOLVES if case.way and self._causes.last(case.way):
                case.since = monotonic()  # another alert still needs what caused this one
            case _Phase.RESOLVES if not self._watching.state(case.alert) and self._was_delivered(case, "resolved"):
                self._move(case, _Phase.OVER, "resolved", case.since)
            case _:
                if monotonic() - case.since > self._limit_seconds:
                    self._fail(case, _TOO_LATE[case.phase].format(seconds=self._limit_seconds))

    def _begin(self, case: _Case) -> None:
        """Cause it, once nothing that is under way contradicts, and it is quiet."""
        if any(
            other.phase.is_under_way and not case.recipe.can_run_beside(other.recipe)
            for other in self._cases
            if other is not case
        ):
            case.since = monotonic()
            return
        case.since = case.since or monotonic()
        if unrest := self._watching.unrest(case.alert):
            if monotonic() - case.since > self._limit_seconds:
                self._fail(case, unrest)
            return
        try:
            case.way = self._causes.begin(case.alert, case.recipe.ways)
        except ImpossibleFaultError as error:
            self._fail(case, f"cannot be caused: {error}")
            return
        case.began = monotonic()
        self._move(case, _Phase.CAUSED)

    def _was_delivered(self, case: _Case, status: str) -> bool:
        return self._watching.was_delivered(case.alert, status, after=case.heard)

    def _move(self, case: _Case, phase: _Phase, measured: str = "", since: float = 0.0) -> None:
        if measured:
            case.seconds[measured] = monotonic() - since
        if phase in (_Phase.CAUSED, _Phase.RESOLVES):
            case.heard = self._watching.heard
        case.phase, case.since = phase, monotonic()
        self._tell(f"{case.alert} {phase.value}")

    def _fail(self, case: _Case, problem: str) -> None:
        self._causes.end(case.alert)
        case.problem = problem
        case.phase = _Phase.FAILED
        self._tell(f"{case.alert} failed: {problem}")

    def _give_a_sign_of_life(self) -> None:
        if monotonic() - self._told_at > _SIGN_OF_LIFE_SECONDS:
            alerts = {phase: [case.alert for case in self._cases if case.phase is phase] for phase in _Phase}
            here = (f"{phase.name.lower()}: {', '.join(alerts[phase])}" for phase in _Phase if alerts[phase])
            self._tell("; ".join(here))

    def _tell(self, words: str) -> None:
        self._told_at = monotonic()
        self._tell_line(f"{self._told_at - self._began:5.0f} s  {words}")


_TOO_LATE = {
    _Phase.CAUSED: "did not fire within {seconds:g} s",
    _Phase.FIRES: "was not delivered within {seconds:g} s",
    _Phase.RESOLVES: "was not told to be over within {seconds:g} s",
}
