"""Where predictions are kept before they are answered."""

from typing import Protocol

from api_pokemon.monitoring.predictions import Prediction


class Recorder(Protocol):
    """Makes predictions durable.

    A route awaits :meth:`record` before it answers, so what the caller was told is what was kept. Implementations may
    gather many callers into one commit: each call returns once the commit that holds its prediction is done.
    """

    async def record(self, prediction: Prediction) -> None:
        """Return once the prediction survives the death of this process.

        Raises
        ------
        NotRecordedError
            If it cannot be kept; the prediction must then not be served.
        """
        ...


class NullRecorder:
    """Keeps nothing: recording is off."""

    async def record(self, prediction: Prediction) -> None:
        """Return at once."""
