"""How many are let in, and how often, as the settings have it."""

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import NamedTuple

from api_pokemon.errors import StartError
from api_pokemon.routes.callers import Callers, read_networks
from api_pokemon.routes.door import Limiter
from api_pokemon.routes.keys import KnownKeys
from api_pokemon.routes.lanes import Lane, Lanes
from api_pokemon.routes.rate_limit import Counts, RateLimiter, Unlimited, read_rate_limit
from api_pokemon.settings import Settings

_MOST_BATCHES = 2
"""In work for long. Each takes a turn of the event loop for a duel, so single predictions wait for so many duels."""

_MOST_OTHERS = 8
"""In work for long of each kind of request that predicts nothing."""

_MOST_SCRAPES = 2
"""In work for long, as each takes 3 ms. They keep neither predictions out nor those who ask whether all is well."""

_REDIS_SECONDS = 1.0
"""Longest time for an answer of Redis, for which no request waits."""


class Entrance(NamedTuple):
    """What stands before the application, and what shares its counts while the application runs."""

    lanes: Lanes
    limiter: Limiter
    sharing: AbstractAsyncContextManager[None]


def entrance_of(settings: Settings, keys: KnownKeys) -> Entrance:
    """Put it together.

    Raises
    ------
    StartError
        A rate limit, a proxy or the address of Redis is none.
    """
    callers = Callers(keys, read_networks(settings.trusted_proxies))
    limit = read_rate_limit(settings.rate_limit)
    if limit is None:
        return Entrance(_lanes(settings), Unlimited(), nullcontext())
    counts = Counts()
    sharing = _sharing(settings.stream_url, counts, limit.get_expiry()) if settings.stream_url else nullcontext()
    return Entrance(_lanes(settings), RateLimiter(limit, callers, counts), sharing)


def _sharing(url: str, counts: Counts, window_seconds: int) -> AbstractAsyncContextManager[None]:
    # The client of Redis takes 14 MB: only where there is one.
    from api_pokemon.monitoring.redis_connection import connect_async
    from api_pokemon.routes.rate_sharing import RateSharing

    try:
        client = connect_async(url, timeout_seconds=_REDIS_SECONDS, role="rate-limit")
    except ValueError as error:
        raise StartError(f"API_POKEMON_STREAM_URL is not the address of a Redis: {error}") from error
    return RateSharing(counts, client, window_seconds).exchanging()


def _lanes(settings: Settings) -> Lanes:
    """Neither what watches the service nor what waits for the log stands in line with predictions."""
    return Lanes(
        {
            "/predict": Lane(settings.max_in_work),
            "/predict/best-move/batch": Lane(_MOST_BATCHES),
            "/predictions": Lane(_MOST_OTHERS),
            "/drift": Lane(_MOST_OTHERS),
            "/health": Lane(_MOST_OTHERS, rated=False),
            "/metrics": Lane(_MOST_SCRAPES, rated=False),
            "/faults": Lane(_MOST_OTHERS, rated=False),
        },
        rest=Lane(_MOST_OTHERS),
    )
