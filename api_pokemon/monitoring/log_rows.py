"""From entries of a stream to rows of the prediction log."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from time import time
from typing import Any, NamedTuple
from uuid import UUID

from api_pokemon.monitoring.errors import EventError, InvalidIdError
from api_pokemon.monitoring.events import Event, Outcome, Prediction, decode
from api_pokemon.monitoring.ids import made_at_seconds, parse_id
from api_pokemon.monitoring.stream import Entry

Row = dict[str, Any]


class Read(NamedTuple):
    """An entry, and what is in it: an event, or why there is none."""

    id: str
    entry: Entry
    event: Event | None
    reason: str = ""


def read_entry(entry: Entry) -> Read:
    """Take an entry for what it is; an event that the log could not hold is none."""
    try:
        event = decode(entry.body)
        event_id = parse_id(event.event_id)
        if isinstance(event, Outcome):
            parse_id(event.prediction_id)
        _check_texts(event, entry.body)
    except (EventError, InvalidIdError) as error:
        return reject(entry, str(error))
    return Read(event_id, entry, event)


def reject(entry: Entry, reason: str) -> Read:
    """Take an entry for no event. Its id is made from all that it is, so that it is known when it comes again."""
    digest = sha256(f"{entry.writer} {entry.sequence} ".encode() + entry.body).digest()
    return Read(str(UUID(bytes=digest[:16])), entry, None, reason)


def prediction_rows(found: Iterable[Read], writer_ids: Mapping[str, int]) -> list[Row]:
    """Rows of the table `predictions`, of those entries that are one."""
    return [
        {
            "id": read.id,
            "model_version": read.event.model_version,
            "probability": read.event.probability,
            "duration_seconds": read.event.duration_seconds,
            "request": read.event.request,
            "choice": read.event.choice,
            "payload": read.event.payload,
            "made_at": made_at_seconds(read.id),
            "writer_id": writer_ids[read.entry.writer],
            "sequence": read.entry.sequence,
        }
        for read in found
        if isinstance(read.event, Prediction)
    ]


def outcome_rows(found: Iterable[Read], writer_ids: Mapping[str, int]) -> list[Row]:
    """Rows of the table `outcomes`, of those entries that are one."""
    return [
        {
            "id": read.id,
            "prediction_id": parse_id(read.event.prediction_id),
            "happened": read.event.happened,
            "made_at": made_at_seconds(read.id),
            "writer_id": writer_ids[read.entry.writer],
            "sequence": read.entry.sequence,
        }
        for read in found
        if isinstance(read.event, Outcome)
    ]


def rejected_rows(found: Iterable[Read], writer_ids: Mapping[str, int]) -> list[Row]:
    """Rows of the table `rejected`, of those entries that are no event."""
    now_seconds = time()
    return [
        {
            "id": read.id,
            "body": read.entry.body,
            "reason": read.reason,
            "rejected_at": now_seconds,
            "writer_id": writer_ids[read.entry.writer],
            "sequence": read.entry.sequence,
        }
        for read in found
        if read.event is None
    ]


def last_sequences(entries: Sequence[Entry]) -> dict[str, int]:
    """The greatest sequence of each writer."""
    last: dict[str, int] = {}
    for entry in entries:
        last[entry.writer] = max(entry.sequence, last.get(entry.writer, 0))
    return last


def _check_texts(event: Event, body: bytes) -> None:
    """PostgreSQL keeps no text with the character 0, and would refuse the batch that it is in."""
    if rb"\u0000" not in body or not isinstance(event, Prediction):
        return
    names_and_values = [text for fields in (event.request, event.choice) for pair in fields.items() for text in pair]
    if any(isinstance(text, str) and "\0" in text for text in (event.model_version, *names_and_values)):
        raise EventError("A text in it holds the character 0, which no log can keep.")
