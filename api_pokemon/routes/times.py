"""Times as people write them."""

import re
from datetime import UTC, datetime

UNIX_SECONDS = r"^[0-9]{9,11}(\.[0-9]+)?$"
"""As they are written, as a regular expression."""

_UNIX_SECONDS = re.compile(UNIX_SECONDS, re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*", re.ASCII | re.DOTALL)


def parse_time(text: str) -> float:
    """Unix seconds of a date (its midnight) or a time in ISO 8601, in UTC where it names no offset, or of Unix seconds.

    Raises
    ------
    ValueError
        The text is no time, with examples.

    Examples
    --------
    >>> parse_time("2026-08-01"), parse_time("2026-08-01T12:30:00+02:00"), parse_time("1785580200.5")
    (1785542400.0, 1785580200.0, 1785580200.5)
    """
    if _UNIX_SECONDS.fullmatch(text):
        return float(text)
    try:
        if not _DATE.fullmatch(text):  # `fromisoformat` would also read 20260801, which may be meant as seconds
            raise ValueError
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text[:64]!r} is no time; write 2026-08-01, 2026-08-01T10:30:00Z or 1785580200 (Unix seconds)."
        ) from None
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - datetime.fromtimestamp(0, UTC)).total_seconds()
