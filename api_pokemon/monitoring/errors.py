"""Every error that watching raises on purpose.

::

    MonitoringError
    ├── InvalidIdError      a text that is not a prediction id
    └── NotRecordedError    a prediction that could not be made durable, and so must not be served
"""


class MonitoringError(Exception):
    """Base of the tree."""


class InvalidIdError(MonitoringError, ValueError):
    """A text that is not a prediction id."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:64]!r} is not a prediction id: a UUID of version 7 is wanted.")
        self.text = text


class NotRecordedError(MonitoringError):
    """A prediction could not be made durable: answer 503 with the error type ``not-recorded``."""
