"""How many requests of each kind are in work at once."""

from collections.abc import Callable, Mapping
from math import inf
from time import monotonic

BURST = 10
"""So many times as many may be in work for a moment."""

_CALM_SECONDS = 0.1
"""In overload there is hardly a millisecond without a refusal; and what is left of a burst is over sooner."""

_LOOK_AGAIN_SECONDS = 5.0
"""So often, a burst is let in all the same: with few in work each costs more, so callers who ask again at once could
keep up an overload in which there is room for all of them."""


class Lane:
    """Requests of one kind.

    Where nobody was refused for a tenth of a second, ten times as many may come at once: a stall of the machine, after
    which all come in who waited, is no overload. Overload begins with a burst, too, but then others are refused all the
    time; it has another one every five seconds.

    Parameters
    ----------
    most
        How many of them may be in work for long.
    rated
        Whether they count towards a caller's rate limit.
    clock
        One that does not go back, in seconds.

    Examples
    --------
    >>> lane = Lane(1, clock=iter([0.0, 0.05, 0.1]).__next__)
    >>> lane.in_work, lane.is_full
    (0, False)
    >>> for _ in range(10):
    ...     lane.enter()
    >>> lane.is_full
    True
    >>> for _ in range(3):
    ...     lane.leave()
    >>> lane.is_full, lane.is_full
    (True, True)
    """

    __slots__ = ("_clock", "_full_until", "_looks_again_at", "_most", "in_work", "rated")

    def __init__(self, most: int, *, rated: bool = True, clock: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._clock = clock
        self._full_until = self._looks_again_at = -inf
        self.rated = rated
        self.in_work = 0

    @property
    def is_full(self) -> bool:
        """Asked by whoever wants to enter, and is refused where it is."""
        if self.in_work < self._most:
            return False
        now = self._clock()
        if now > self._full_until:
            if self.in_work < BURST * self._most:
                return False
            self._looks_again_at = now + _LOOK_AGAIN_SECONDS
        self._full_until = min(now + _CALM_SECONDS, self._looks_again_at)
        return True

    def enter(self) -> None:
        self.in_work += 1

    def leave(self) -> None:
        self.in_work -= 1


class Lanes:
    """Finds the lane of a request, so that what waits for one thing never keeps out what needs another.

    Parameters
    ----------
    lanes
        By path, such as ``/predict/best-move/batch``, or by how paths begin, such as ``/predict``.
    rest
        For all other paths.

    Examples
    --------
    >>> slow, fast, rest = Lane(1), Lane(2), Lane(3)
    >>> lanes = Lanes({"/predict": fast, "/predict/batch": slow}, rest)
    >>> [lanes.of(path) in (fast, slow) for path in ("/predict", "/predict/one", "/predict/batch", "/predictions", "*")]
    [True, True, True, False, False]
    >>> lanes.of("/predict/batch") is slow
    True
    """

    def __init__(self, lanes: Mapping[str, Lane], rest: Lane) -> None:
        self._lanes = lanes
        self._rest = rest

    def of(self, path: str) -> Lane:
        return self._lanes.get(path) or self._lanes.get(path[: path.find("/", 1)]) or self._rest
