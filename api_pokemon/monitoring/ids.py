"""Prediction ids: UUIDs of version 7, which sort by the time they were made."""

import re
from time import time_ns

import uuid_utils

from api_pokemon.monitoring.errors import InvalidIdError

_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)


_TOLERATED_MILLISECONDS = 1000
"""A clock that is set back by less makes ids that lie in the future for that long, and are in order."""


def new_id() -> str:
    """Make an id that is greater, as text too, than every id this process made before, unless the clock was set back.

    Ids tell when predictions were made, so they follow a clock that is set back by more than a second.

    Examples
    --------
    >>> first, second = new_id(), new_id()
    >>> first < second
    True
    >>> len(first)
    36
    """
    made, now = uuid_utils.uuid7(), time_ns()
    if made.timestamp > now // 1_000_000 + _TOLERATED_MILLISECONDS:  # it goes on from the latest time that it has seen
        made = uuid_utils.uuid7(nanoseconds=now)
    return str(made)


def parse_id(text: str) -> str:
    """Return the id in its canonical lower-case form.

    Raises
    ------
    InvalidIdError
        If the text is anything else than a UUID of version 7 (RFC 9562) with its hyphens.

    Examples
    --------
    >>> parse_id("0190F5B6-7C0E-7ABC-8DEF-0123456789AB")
    '0190f5b6-7c0e-7abc-8def-0123456789ab'
    """
    canonical = text.lower()
    if not _CANONICAL.fullmatch(canonical):
        raise InvalidIdError(text)
    return canonical


def made_at_seconds(prediction_id: str) -> float:
    """Return the Unix time an id was made at, to the millisecond.

    Examples
    --------
    >>> made_at_seconds("0190f5b6-7c0e-7abc-8def-0123456789ab")
    1722109295.63
    """
    return int(parse_id(prediction_id).replace("-", "")[:12], 16) / 1000
