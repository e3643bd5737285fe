"""What a service tells its watchers about one prediction."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from api_pokemon.monitoring.ids import made_at_seconds

Field: TypeAlias = str | int | float | bool | None
Fields: TypeAlias = Mapping[str, Field]

_NO_FIELDS: Fields = MappingProxyType({})


class Prediction(NamedTuple):
    """One answered question.

    A NamedTuple, not a frozen dataclass: one is made in every request, at a third of the price.

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
        The monitored fields of what was asked.
    choice
        The monitored fields of what the model chose, and how sure it was.
    payload
        Whatever else must be kept to replay the prediction; nobody here looks into it.

    Examples
    --------
    >>> Prediction("0190f5b6-7c0e-7abc-8def-0123456789ab", "v1", probability=0.25, duration_seconds=0.001).confidence
    0.75
    """

    prediction_id: str
    model_version: str
    probability: float
    duration_seconds: float
    request: Fields = _NO_FIELDS
    choice: Fields = _NO_FIELDS
    payload: bytes = b""

    @property
    def confidence(self) -> float:
        """How far the model is from a coin toss: max(p, 1 - p), in [0.5, 1]."""
        return self.probability if self.probability >= 0.5 else 1.0 - self.probability

    @property
    def made_at_seconds(self) -> float:
        """The Unix time of the prediction, which its id carries."""
        return made_at_seconds(self.prediction_id)
