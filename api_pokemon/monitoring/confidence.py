"""The confidences of the last minute."""

from collections import deque
from math import fsum

WINDOW_SECONDS = 60.0
WINDOW_PREDICTIONS = 1000


class ConfidenceWindow:
    """The confidences of at most the last 1,000 predictions of the last 60 s.

    Adding is an append; forgetting and averaging are left to the reader, who comes once per scrape.

    Not safe in threads by itself: whoever owns it holds a lock around every call.

    Examples
    --------
    >>> window = ConfidenceWindow()
    >>> window.add(0.9, now=0.0)
    >>> window.add(0.7, now=30.0)
    >>> window.mean(now=59.0), window.mean(now=60.0), window.mean(now=90.0)
    (0.8, 0.7, None)
    """

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: deque[tuple[float, float]] = deque(maxlen=WINDOW_PREDICTIONS)

    def add(self, confidence: float, now: float) -> None:
        self._entries.append((now, confidence))

    def mean(self, now: float) -> float | None:
        """Return the mean, or None when the last prediction is 60 s old or older."""
        while self._entries and self._entries[0][0] <= now - WINDOW_SECONDS:
            self._entries.popleft()
        if not self._entries:
            return None
        return fsum(confidence for _, confidence in self._entries) / len(self._entries)
