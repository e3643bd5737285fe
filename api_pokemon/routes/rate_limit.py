"""How many requests a caller may send: counted here, in windows of the clock, without waiting for anyone."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from api_pokemon.errors import StartError
from api_pokemon.routes.callers import Callers

if TYPE_CHECKING:
    from limits import RateLimitItem

Header = tuple[bytes, bytes]

RATE_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
"""Of every answer where there is a limit: how many requests, how many of them are left, for how many seconds still."""

_LIMIT, _REMAINING, _RESET = (name.lower().encode() for name in RATE_HEADERS)
_MOST_CALLERS = 50_000


def read_rate_limit(text: str) -> "RateLimitItem | None":
    """Read a limit such as ``600/minute``, ``10 per second`` or ``5000/2 hours``; None for an empty text.

    Raises
    ------
    StartError
        If it is none.
    """
    if not text.strip():
        return None
    from limits import parse_many

    try:
        items = parse_many(text)
    except ValueError:
        items = []
    if len(items) != 1 or items[0].amount < 1:
        raise StartError(
            f"API_POKEMON_RATE_LIMIT is {text!r}; it takes one limit of at least one request, such as 600/minute, "
            "10/second or 5000 per 2 hours, and empty is none."
        )
    return items[0]


class Count:
    """Requests of one caller in a window: those that all processes are known to have had, and those not told yet."""

    __slots__ = ("known", "untold")

    def __init__(self) -> None:
        self.known = 0
        self.untold = 0


class Counts:
    """The requests of each caller in the window that runs.

    Parameters
    ----------
    most_callers
        Beyond so many, those are forgotten whose first request in the window is the longest ago.
    """

    def __init__(self, most_callers: int = _MOST_CALLERS) -> None:
        self.window = 0
        self._most = most_callers
        self._of: OrderedDict[str, Count] = OrderedDict()
        self._untold: dict[str, Count] = {}

    def __len__(self) -> int:
        return len(self._of)

    def add(self, caller: str, window: int) -> int:
        """Count a request, and return how many the caller has sent in the window, as far as is known here."""
        if window != self.window:
            self.window, self._of, self._untold = window, OrderedDict(), {}
        count = self._of.get(caller)
        if count is None:
            count = self._remember(caller)
        count.untold += 1
        self._untold[caller] = count
        return count.known + count.untold

    def tell(self, most: int) -> list[tuple[str, int]]:
        """What others do not know yet, of so many callers at most. It is told once, whatever comes of it."""
        told = []
        for caller in list(self._untold)[:most]:
            count = self._untold.pop(caller)
            told.append((caller, count.untold))
            count.known, count.untold = count.known + count.untold, 0
        return told

    def learn(self, window: int, caller: str, total: int) -> None:
        """Take in how many requests all processes together have told of."""
        count = self._of.get(caller)
        if count and window == self.window:
            count.known = max(count.known, total)

    def _remember(self, caller: str) -> Count:
        if len(self._of) >= self._most:
            forgotten, _ = self._of.popitem(last=False)
            self._untold.pop(forgotten, None)
        count = self._of[caller] = Count()
        return count


class Allowance(NamedTuple):
    """What a caller is told of its limit: whether the request is within it, and when the next window begins."""

    granted: bool
    reset_seconds: int = 0
    headers: Sequence[Header] = ()


class Unlimited:
    """Everyone may ask as often as they want."""

    def ask(self, scope: Mapping[str, Any]) -> Allowance:
        return _GRANTED


class RateLimiter:
    """Counts each request of a caller, refused ones too.

    Parameters
    ----------
    limit
        For each caller.
    callers
        Who asks.
    counts
        Of this process; something else may share them.
    clock
        In Unix seconds, so that the windows of all processes are the same.
    """

    def __init__(
        self, limit: "RateLimitItem", callers: Callers, counts: Counts, clock: Callable[[], float] = time.time
    ) -> None:
        self._amount = limit.amount
        self._seconds = limit.get_expiry()
        self._callers = callers
        self._counts = counts
        self._clock = clock
        self._limit_header = (_LIMIT, b"%d" % limit.amount)

    def ask(self, scope: Mapping[str, Any]) -> Allowance:
        """Count a request of the ASGI scope."""
        window, passed = divmod(self._clock(), self._seconds)
        number = self._counts.add(self._callers.of(scope), int(window))
        reset_seconds = ceil(self._seconds - passed)
        headers = (
            self._limit_header,
            (_REMAINING, b"%d" % max(self._amount - number, 0)),
            (_RESET, b"%d" % reset_seconds),
        )
        return Allowance(number <= self._amount, reset_seconds, headers)


_GRANTED = Allowance(granted=True)
