"""Whether requests are to be sent to this process, and whether anybody asks."""

from collections.abc import Callable
from time import monotonic

_WATCHED_SECONDS = 10.0


class Readiness:
    """What the server knows, and balancers ask: they send no more requests once they were told no.

    Parameters
    ----------
    clock
        A clock that does not go back, in seconds.

    Examples
    --------
    >>> readiness = Readiness()
    >>> readiness.is_watched, readiness.ask(), readiness.is_watched
    (False, True, True)
    >>> readiness.stop()
    >>> readiness.ask()
    False
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._asked_seconds = float("-inf")
        self._is_stopping = False

    def ask(self) -> bool:
        """Whether to send requests here, asked by somebody who acts on the answer."""
        self._asked_seconds = self._clock()
        return not self._is_stopping

    def stop(self) -> None:
        """From now on, no."""
        self._is_stopping = True

    @property
    def is_watched(self) -> bool:
        """Whether somebody has asked of late, and so will ask again."""
        return self._clock() - self._asked_seconds < _WATCHED_SECONDS
