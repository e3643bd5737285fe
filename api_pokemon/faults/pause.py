"""Makes Redis hold back writes."""

import logging

from redis.exceptions import RedisError

from api_pokemon.errors import ImpossibleFaultError
from api_pokemon.monitoring.redis_connection import connect

logger = logging.getLogger(__name__)


class StreamPause:
    """Lets Redis answer no command that writes, neither to those who send events nor to those who read them.

    Redis itself ends the pause when the time is over, should this process die before.

    Parameters
    ----------
    url
        Of the Redis.
    """

    def __init__(self, url: str) -> None:
        self._redis = connect(url, timeout_seconds=2.0, role="faults")

    def begin(self, level: float, seconds: float) -> None:
        try:
            self._redis.client_pause(int(1000 * seconds), all=False)
        except RedisError as error:
            raise ImpossibleFaultError(f"Redis cannot be paused: {error}.") from error

    def end(self) -> None:
        try:
            self._redis.client_unpause()
        except RedisError as error:
            logger.warning("Redis does not end its pause now (%s); it does so by itself", error)
        finally:
            self._redis.close()
