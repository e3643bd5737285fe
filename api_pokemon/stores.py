"""Where events are kept, as the settings have it: for the API, the worker, its jobs and the commands alike."""

from functools import partial
from typing import TYPE_CHECKING

from api_pokemon.errors import StartError
from api_pokemon.model.baseline import find_baseline
from api_pokemon.model.monitored_rows import LOOKED_UP
from api_pokemon.monitoring import OutboxFolder
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.outbox_stream import OutboxStream
from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.monitoring.profile_writing import BaselineOf
from api_pokemon.monitoring.report_folder import ReportFolder
from api_pokemon.settings import Settings
from api_pokemon.startup import log_url_of

if TYPE_CHECKING:
    from api_pokemon.monitoring.redis_stream import RedisStream

_BUCKETS = (60, 30, 20, 10, 5, 2, 1)  # an hour is a number of each


def outboxes_of(settings: Settings) -> OutboxFolder:
    """The outboxes of this machine."""
    return OutboxFolder(
        settings.data_dir / "outbox", max_bytes=settings.outbox_max_bytes, synchronous=settings.outbox_synchronous
    )


def log_of(settings: Settings) -> PredictionLog:
    """The prediction log; nothing is opened before it is used.

    Raises
    ------
    StartError
        The setting is no address of a database.
    """
    try:
        # An outbox lets go of what the log holds, so the log must survive whatever the outbox does.
        engine = connect(log_url_of(settings), synchronous=settings.outbox_synchronous)
        return PredictionLog(engine, looked_up=LOOKED_UP)
    except ValueError as error:
        raise StartError(f"API_POKEMON_LOG_URL: {error}") from error


def baselines_of(settings: Settings) -> BaselineOf:
    """Finds the baselines of the model versions that are here."""
    return partial(find_baseline, settings.data_dir / "models")


def bucket_seconds_of(settings: Settings) -> int:
    """How long the buckets are that profiles are kept in: a minute, or less for windows of a few minutes."""
    return next(length for length in _BUCKETS if length <= max(settings.drift_window_seconds // 10, 1))


def reports_of(settings: Settings) -> ReportFolder:
    """Where drift reports are kept."""
    return ReportFolder(settings.data_dir / "reports")


def stream_of(settings: Settings) -> "RedisStream | OutboxStream":
    """What a worker reads events from.

    Raises
    ------
    StartError
        The setting is no address of a Redis.
    """
    if not settings.stream_url:
        return OutboxStream(outboxes_of(settings))
    from api_pokemon.monitoring.redis_stream import RedisStream  # 14 MB: only where there is a Redis

    try:
        return RedisStream(settings.stream_url)
    except ValueError as error:
        raise StartError(f"API_POKEMON_STREAM_URL: {error}") from error
