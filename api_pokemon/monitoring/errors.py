"""Every error that watching raises on purpose.

::

    MonitoringError
    ├── InvalidIdError          a text that is not a prediction id
    ├── EventError              bytes that are no event, or one of a kind that this version does not know
    ├── ProfileError            profiles or layouts that cannot be read, or do not belong together
    ├── NoReferenceError          a drift reference that cannot be had, or be taken back
    ├── ReportError             a drift report that cannot be written
    │   ├── EvidentlyMissingError   what writes reports is not installed here
    │   └── InsufficientDataError   there are too few rows to compare
    ├── NotRecordedError        an event that could not be made durable, and so must not be served
    ├── LogUnavailableError     the prediction log cannot be read or written just now
    │   ├── LogMissingError         nothing has ever been logged there
    │   └── LogTooNewError          a newer version of the service has changed its tables
    └── StreamUnavailableError  the stream cannot be read or written just now
"""


class MonitoringError(Exception):
    """Base of the tree."""


class InvalidIdError(MonitoringError, ValueError):
    """A text that is not a prediction id."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:64]!r} is not a prediction id: a UUID of version 7 is wanted.")
        self.text = text


class EventError(MonitoringError, ValueError):
    """Bytes that are no event, or one of a kind that this version does not know."""


class ProfileError(MonitoringError, ValueError):
    """Profiles or layouts that cannot be read, or do not belong together."""


class NoReferenceError(MonitoringError, ValueError):
    """A drift reference that cannot be had, or be taken back."""


class ReportError(MonitoringError):
    """A drift report that cannot be written, for a reason that lies outside of the code."""

    explains_itself = True


class EvidentlyMissingError(ReportError):
    """What writes reports is not installed here."""

    def __init__(self) -> None:
        super().__init__(
            "Evidently, which writes drift reports, is not installed here. `make reports-env` installs it, as does "
            "`pip install --requirement requirements-reports.txt`."
        )


class InsufficientDataError(ReportError):
    """There are too few rows to compare, or nothing in them that could differ."""


class NotRecordedError(MonitoringError):
    """An event could not be made durable: answer 503 with the error type ``not-recorded``.

    Parameters
    ----------
    message
        For people.
    reason
        Counted as a label, so it is one of few.
    """

    def __init__(self, message: str, reason: str = "other") -> None:
        super().__init__(message)
        self.reason = reason


class LogUnavailableError(MonitoringError):
    """The prediction log cannot be read or written just now; what waits in the outbox is safe meanwhile."""


class LogMissingError(LogUnavailableError):
    """There is no prediction log yet: no worker has ever made its tables, so there is nothing in it."""


class LogTooNewError(LogUnavailableError):
    """The tables of the prediction log are those of a newer version: update this service."""


class StreamUnavailableError(MonitoringError):
    """The stream cannot be read or written just now; what waits in the outbox is safe meanwhile."""
