"""Rate limits over several processes: what each counts is told to Redis, which tells how many there are in all."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from api_pokemon.routes.rate_limit import Counts

logger = logging.getLogger(__name__)

EXCHANGE_SECONDS = 0.2
_AGAIN_SECONDS = 1.0
_MOST_AT_ONCE = 1000

_ADD = """
local totals = {}
for i, key in ipairs(KEYS) do
  totals[i] = redis.call('INCRBY', key, ARGV[i + 1])
  if totals[i] == tonumber(ARGV[i + 1]) then
    redis.call('EXPIRE', key, ARGV[1])
  end
end
return totals
"""


class RateSharing:
    """Exchanges counts with Redis in the background, so that no request ever waits for it.

    While Redis is away each process counts for itself, which is told once. A caller can then send as many requests as
    there are processes times the limit; with Redis, at most what they accept of it within one exchange is too much.

    Parameters
    ----------
    counts
        Of this process.
    client
        Of Redis; closed at the end.
    window_seconds
        After two of them, Redis forgets what was counted in one.
    """

    def __init__(self, counts: Counts, client: Redis, window_seconds: int) -> None:
        self._counts = counts
        self._client = client
        self._window_seconds = window_seconds
        self._add = client.register_script(_ADD)
        self._is_away = False

    @asynccontextmanager
    async def exchanging(self) -> AsyncIterator[None]:
        """Exchange again and again meanwhile."""
        task = asyncio.create_task(self._exchange_on())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self._client.aclose()

    async def _exchange_on(self) -> None:
        while True:
            await asyncio.sleep(_AGAIN_SECONDS if self._is_away else EXCHANGE_SECONDS)
            try:
                await self._exchange()
            except (RedisError, OSError) as error:
                self._tell(error)
            else:
                self._tell(None)

    async def _exchange(self) -> None:
        window = self._counts.window
        told = self._counts.tell(_MOST_AT_ONCE)
        if not told:
            return
        keys = [f"api-pokemon:rate:{self._window_seconds}:{window}:{caller}" for caller, _ in told]
        totals = await self._add(keys=keys, args=[2 * self._window_seconds, *(number for _, number in told)])
        for (caller, _), total in zip(told, totals, strict=True):
            self._counts.learn(window, caller, total)

    def _tell(self, error: Exception | None) -> None:
        """Log a change once, not each exchange."""
        if error and not self._is_away:
            logger.warning("rate limits are counted by each process for itself, since Redis is away: %s", error)
        elif self._is_away and not error:
            logger.info("rate limits are shared again")
        self._is_away = error is not None
