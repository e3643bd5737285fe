"""What a service tells its watchers, and how that is written down: one JSON object for each event.

::

    {"v": 1, "time": 1722109295.63, "kind": "prediction", "id": "0190f5b6-…", "model_version": "v1", …}

``kind`` names the event, ``id`` is its UUIDv7, ``time`` its time in Unix seconds, which the id carries to the
millisecond. ``v`` counts the versions of the envelope. A version may add fields, which need a default here and are
passed over by readers that do not know them; it never drops a field nor changes what one means. That would be a new
kind, which an older reader refuses with :class:`~api_pokemon.monitoring.errors.EventError` and the worker sets aside.
"""

from collections.abc import Mapping
from math import inf
from typing import TypeAlias

import msgspec

from api_pokemon.monitoring.errors import EventError, InvalidIdError
from api_pokemon.monitoring.ids import made_at_seconds, parse_id

ENVELOPE_VERSION = 1

Field: TypeAlias = str | int | float | bool | None
Fields: TypeAlias = Mapping[str, Field]


class Prediction(msgspec.Struct, frozen=True, tag="prediction", tag_field="kind"):
    """One answered question.

    Parameters
    ----------
    prediction_id
        From :func:`~api_pokemon.monitoring.ids.new_id`.
    model_version
        Which model answered. Becomes a label, so it must come from the service, never from the caller.
    probability
        The model's probability for the answer it chose, in [0, 1].
    duration_seconds
        The time the model took, without parsing, recording or sending.
    request
        The monitored fields of what was asked. A number that is not finite is kept as None.
    choice
        The monitored fields of what the model chose, and how sure it was.
    payload
        Whatever else must be kept to replay the prediction; nobody here looks into it.

    Examples
    --------
    >>> Prediction("0190f5b6-7c0e-7abc-8def-0123456789ab", "v1", probability=0.25, duration_seconds=0.001).confidence
    0.75
    """

    prediction_id: str = msgspec.field(name="id")
    model_version: str
    probability: float
    duration_seconds: float
    request: Fields = {}
    choice: Fields = {}
    payload: bytes = b""

    @property
    def event_id(self) -> str:
        """The id of the event, which is the prediction's own."""
        return self.prediction_id

    @property
    def confidence(self) -> float:
        """How far the model is from a coin toss: max(p, 1 - p), in [0.5, 1]."""
        return self.probability if self.probability >= 0.5 else 1.0 - self.probability

    @property
    def made_at_seconds(self) -> float:
        """The Unix time of the prediction, which its id carries."""
        return made_at_seconds(self.prediction_id)


class Outcome(msgspec.Struct, frozen=True, tag="outcome", tag_field="kind"):
    """What really happened to what was predicted, known seconds or months later.

    Parameters
    ----------
    outcome_id
        From :func:`~api_pokemon.monitoring.ids.new_id`, when it was reported.
    prediction_id
        Of the prediction that it judges.
    happened
        Whether that came true whose probability was predicted.
    """

    outcome_id: str = msgspec.field(name="id")
    prediction_id: str
    happened: bool

    @property
    def event_id(self) -> str:
        """The id of the event."""
        return self.outcome_id

    @property
    def made_at_seconds(self) -> float:
        """The Unix time at which the outcome was reported."""
        return made_at_seconds(self.outcome_id)


Event: TypeAlias = Prediction | Outcome

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Prediction | Outcome)


def encode(event: Event) -> bytes:
    """Write an event down.

    Raises
    ------
    ValueError
        If a probability is not in [0, 1], a duration is no finite time, or an id is not one. What is written down must
        be readable: a caller can be refused, an accepted event cannot.

    Examples
    --------
    >>> came_true = Outcome("0190f5b6-7c0e-7abc-8def-0123456789ab", "0190f5b6-0000-7abc-8def-0123456789ab", True)
    >>> encode(came_true)[:61]
    b'{"v":1,"time":1722109295.630,"kind":"outcome","id":"0190f5b6-'
    """
    if type(event) is Prediction:
        if not 0.0 <= event.probability <= 1.0:
            raise ValueError(f"A probability must lie in [0, 1], not {event.probability}.")
        if not 0.0 <= event.duration_seconds < inf:
            raise ValueError(f"A duration must be a finite number of seconds, not {event.duration_seconds}.")
    else:
        parse_id(event.prediction_id)
    return b'{"v":%d,"time":%.3f,' % (ENVELOPE_VERSION, event.made_at_seconds) + _encoder.encode(event)[1:]


def decode(body: bytes) -> Event:
    """Read what :func:`encode` of this or of another version has written.

    Raises
    ------
    EventError
        If this is no event, or one of a kind that this version does not know.
    """
    try:
        event: Event = _decoder.decode(body)
        parse_id(event.event_id)
    except (msgspec.DecodeError, InvalidIdError, UnicodeDecodeError) as error:
        raise EventError(str(error)) from error
    return event
