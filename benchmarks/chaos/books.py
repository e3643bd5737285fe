"""What came of it: the table, and what was promised and did not hold."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.chaos.clients import NOTHING, Outcome
from benchmarks.chaos.fire import Blow
from benchmarks.chaos.load import Load
from benchmarks.chaos.site import Site

RECOVERY_SECONDS = 10.0
_DRAIN_SECONDS = 120.0
_WIDTH = 160


class Balance(NamedTuple):
    """Predictions that were answered, and what the log has of them."""

    acknowledged: int
    logged: int
    missing: int
    twice: int

    def __str__(self) -> str:
        if self.missing or self.twice:
            return f"{self.acknowledged:,} answered, {self.missing:,} MISSING, {self.twice:,} TWICE"
        return f"{self.acknowledged:,} = {self.logged:,}"


class Books:
    """Compares what clients were told with what the log holds.

    Parameters
    ----------
    site
        Running, and drained by now.
    load
        Ended.
    blows
        What was done to it.
    """

    def __init__(self, site: Site, load: Load, blows: Sequence[Blow]) -> None:
        self._site = site
        self._load = load
        self._blows = blows
        self._logged = Counter(str(number) for number in site.deployment.logged())

    def print(self) -> None:
        """Print a row for each fault, and one for all."""
        table = Table(box=None, pad_edge=False)
        for name in ("fault", "times", "answers", "longest without, s", "recovery, s", "balance"):
            table.add_column(name, justify="left" if name in ("fault", "answers", "balance") else "right")
        for name in sorted({blow.fault.name for blow in self._blows}):
            table.add_row(*self._row(name, [blow for blow in self._blows if blow.fault.name == name]))
        outcomes = self._load.outcomes
        table.add_row("all", str(len(self._blows)), _answers(outcomes), "", "", str(self.balance(outcomes)))
        console = Console(highlight=False, markup=False)
        (console if console.is_terminal else Console(highlight=False, markup=False, width=_WIDTH)).print(table)

    def _row(self, name: str, blows: list[Blow]) -> tuple[str, ...]:
        during = [self._load.done_between(blow.began_seconds, blow.over_seconds) for blow in blows]
        every = [outcome for outcomes in during for outcome in outcomes]
        longest = max(_longest_silence(blow, outcomes) for blow, outcomes in zip(blows, during, strict=True))
        recovery = max(blow.recovery_seconds for blow in blows)
        return name, str(len(blows)), _answers(every), f"{longest:.1f}", f"{recovery:.1f}", str(self.balance(every))

    def balance(self, outcomes: Iterable[Outcome]) -> Balance:
        """What the log has of these."""
        ids = [number for outcome in outcomes for number in outcome.ids]
        found = [self._logged[number] for number in ids]
        return Balance(len(ids), sum(map(bool, found)), found.count(0), sum(times > 1 for times in found))

    def missed(self) -> list[str]:
        """What was promised and did not hold."""
        return [*self._slow(), *self._forbidden(), *self._unfelt(), *self._lost()]

    def _slow(self) -> Iterable[str]:
        for blow in self._blows:
            if blow.recovery_seconds > RECOVERY_SECONDS:
                yield f"{blow.fault.name}: as usual only {blow.recovery_seconds:.1f} s after its end"

    def _forbidden(self) -> Iterable[str]:
        found: Counter[tuple[str, str]] = Counter()
        for outcome in self._load.outcomes:
            blames = [blow for blow in self._blows if blow.began_seconds <= outcome.done_seconds <= blow.over_seconds]
            allowed = {"200"}.union(*(blow.fault.allows for blow in blames))
            where = blames[-1].fault.name if blames else "between faults"
            found.update((answer, where) for answer in outcome.answers if answer not in allowed)
        for (answer, where), times in found.items():
            yield f"{where}: {times} times {answer!r}, which nothing excuses"

    def _unfelt(self) -> Iterable[str]:
        for fault in {blow.fault.name: blow.fault for blow in self._blows}.values():
            if fault.shows and not any(fault.shows in outcome.answers for outcome in self._load.outcomes):
                yield f"{fault.name}: nobody was answered {fault.shows!r}, so it was not felt"

    def _lost(self) -> Iterable[str]:
        balance = self.balance(self._load.outcomes)
        ids = {number for outcome in self._load.outcomes for number in outcome.ids}
        if len(ids) != balance.acknowledged:
            yield f"{balance.acknowledged - len(ids)} ids were given out twice"
        if balance.missing or any(times > 1 for times in self._logged.values()):
            yield f"the log: {balance}"
        deadline = time.monotonic() + _DRAIN_SECONDS
        while (told := self._told_balance()) and time.monotonic() < deadline:
            self._site.wait(1)
        if told:
            yield told
        if differences := self._site.deployment.told("drift", "verify")["differences"]:
            yield f"profiles differ from the log in {len(differences)} places"

    def _told_balance(self) -> str:
        """What ``api-pokemon account`` has to object; forwarders tell of the last events a little later."""
        rows = self._site.deployment.balances()
        accepted, logged, pending = (sum(row[name] for row in rows) for name in ("accepted", "logged", "pending"))
        if accepted == logged == self._logged.total() and not pending:
            return ""
        return (
            f"api-pokemon account: accepted {accepted:,}, logged {logged:,}, pending {pending:,}; "
            f"the log holds {self._logged.total():,}"
        )


def wait_until_drained(site: Site) -> str:
    """Return once the outboxes are empty, or what is left in them."""
    folder = site.outboxes
    deadline = time.monotonic() + _DRAIN_SECONDS
    while time.monotonic() < deadline:
        states = folder.states()
        if len(states) == len(folder.paths()) > 0 and not any(state.pending for state in states):
            return ""
        site.wait(0.2)
    return f"the outboxes still hold {sum(state.pending for state in folder.states()):,} events"


def _answers(outcomes: Iterable[Outcome]) -> str:
    counted = Counter(answer for outcome in outcomes for answer in outcome.answers)
    return ", ".join(f"{answer}: {times:,}" for answer, times in sorted(counted.items())) or NOTHING


def _longest_silence(blow: Blow, outcomes: Iterable[Outcome]) -> float:
    """The longest stretch in which no prediction was answered."""
    answered = sorted(each.done_seconds for each in outcomes if each.ids)
    moments = [blow.began_seconds, *answered, blow.over_seconds]
    return max(later - earlier for earlier, later in pairwise(moments))
