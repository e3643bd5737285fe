"""How long to wait before something that failed is tried again."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackOff:
    """Waits that double from one failure to the next, up to a longest one.

    Parameters
    ----------
    first_seconds, longest_seconds
        The wait after the first failure in a row, and the most.
    jitter
        Share of each wait, in [0, 1], that is left to chance, so that many who failed together do not come back
        together.

    Examples
    --------
    >>> back_off = BackOff(first_seconds=0.2, longest_seconds=10.0, jitter=0.0)
    >>> [back_off.delay_seconds(failures) for failures in (1, 2, 3, 6, 7)]
    [0.2, 0.4, 0.8, 6.4, 10.0]
    """

    first_seconds: float = 0.2
    longest_seconds: float = 5.0
    jitter: float = 0.5

    def delay_seconds(self, failures: int) -> float:
        """The wait after so many failures in a row."""
        longest = min(self.longest_seconds, self.first_seconds * 2 ** min(failures - 1, 32))
        return float(longest * (1 - self.jitter * random.random()))
